import { TAR_END, tarHeaderBlocks, type TarMember } from '../archive/index.ts';
import { EngineError } from '../error.ts';
import type { FileStat, Files, Root } from '../ports/index.ts';
import { describeMember, memberContent } from '../tree/index.ts';

export const OPAQUE = 'trusted.overlay.opaque';
/** What the kernel may do to spare copies when it is told to; such an upper layer cannot be read by itself. */
const SPARING = ['trusted.overlay.redirect', 'trusted.overlay.metacopy'];
/** Places that mounts of ours need; the files that users see there are elsewhere. */
export const PLACEHOLDERS = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf'];

/** Overlay's upper layer as the archive of an image's layer: what was removed becomes '.wh.' files. */
export async function* upperArchive(files: Files, upper: Root): AsyncGenerator<Uint8Array> {
  const pending = children(upper, '/');
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const stat = upper.lstat(path);
    if (stat.type === 'file' && stat.sizeBytes === 0 && PLACEHOLDERS.includes(path)) continue;
    if (isWhiteout(stat)) {
      const slash = path.lastIndexOf('/');
      yield tarHeaderBlocks(mark(path.slice(0, slash) || '/', `.wh.${path.slice(slash + 1)}`));
      continue;
    }
    const attributes = stat.type === 'directory' || stat.type === 'file' ? upper.listXattr(path) : [];
    if (attributes.some((name) => SPARING.includes(name))) {
      throw new EngineError('internal', 'OVERLAY_SPARING', `the kernel keeps ${path} as a reference to a lower layer, so the changes cannot be read`, { hint: 'load the overlay module with redirect_dir=off metacopy=off' });
    }
    const member = describeMember(upper, path, path.slice(1), stat);
    if (member === undefined) continue;
    yield tarHeaderBlocks(member);
    if (stat.type === 'file') yield* memberContent(files, upper, path, stat.sizeBytes);
    if (stat.type !== 'directory') continue;
    if (attributes.includes(OPAQUE)) yield tarHeaderBlocks(mark(path, '.wh..wh..opq'));
    pending.push(...children(upper, path));
  }
  yield TAR_END;
}

/** Sorted, so that the same changes make the same layer; to be taken from the end. */
function children(upper: Root, folder: string): string[] {
  return upper.readdir(folder).map(({ name }) => `${folder === '/' ? '' : folder}/${name}`).toSorted((a, b) => (a < b ? 1 : -1));
}

export function isWhiteout({ type, rdevMajor, rdevMinor }: FileStat): boolean {
  return type === 'character' && rdevMajor === 0 && rdevMinor === 0;
}

/** An empty file that says what happened to `name`. */
function mark(folder: string, name: string): TarMember {
  return {
    path: `${folder === '/' ? '' : `${folder.slice(1)}/`}${name}`, type: 'file', mode: 0o600, uid: 0, gid: 0, sizeBytes: 0, mtimeSeconds: 0, mtimeNanoseconds: 0, linkPath: '', deviceMajor: 0, deviceMinor: 0, xattrs: new Map(),
  };
}
