const PREFIX = '.wh.';
const OPAQUE = '.wh..wh..opq';
/** aufs' own bookkeeping (`.wh..wh.plnk`, `.wh..wh.aufs`): never content. */
const RESERVED = '.wh..wh.';

export type WhiteoutKind =
  | { kind: 'content' }
  /** Hides one name of the layers below. */
  | { kind: 'removal'; path: string }
  /** Hides everything that layers below have in this directory. */
  | { kind: 'opaque'; directory: string }
  | { kind: 'ignored' };

/** What an entry of a layer's archive means; `path` is relative, without a slash at either end. */
export function classifyWhiteout(path: string): WhiteoutKind {
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  if (!name.startsWith(PREFIX)) return { kind: 'content' };
  const directory = slash < 0 ? '' : path.slice(0, slash);
  if (name === OPAQUE) return { kind: 'opaque', directory };
  if (name.startsWith(RESERVED)) return { kind: 'ignored' };
  const hidden = name.slice(PREFIX.length);
  if (hidden === '' || hidden === '.' || hidden === '..') return { kind: 'ignored' };
  return { kind: 'removal', path: directory === '' ? hidden : `${directory}/${hidden}` };
}
