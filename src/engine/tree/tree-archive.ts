import { TAR_END, tarHeaderBlocks, tarPadding, type TarMember } from '../archive/index.ts';
import { systemErrorCode } from '../error.ts';
import type { FileStat, Files, Root } from '../ports/index.ts';

const CHUNK_BYTES = 64 * 1024;

export interface TreeRequest {
  files: Files;
  root: Root;
  /** What to write: a file or a tree. */
  path: string;
  /** Under which name it stands in the archive: '' puts it below '/', null leaves the topmost folder out and gives what it holds relative names. */
  name: string | null;
  /** Folders that are written without what they hold. */
  closed?: readonly string[];
}

/** A file or tree as an archive: sorted, folders before what they hold. What vanishes meanwhile is left out. */
export function* treeArchive({ files, root, path, name, closed = [] }: TreeRequest): Generator<Uint8Array> {
  const pending: { path: string; name: string | null }[] = [{ path, name }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path: place, name: shown } = next;
    const stat = place === path ? root.lstat(place) : lookAgain(root, place);
    if (stat === null) continue;
    const member = shown === null ? undefined : describeMember(root, place, shown, stat);
    if (member === undefined && shown !== null) continue;
    if (member !== undefined) yield tarHeaderBlocks(member);
    if (stat.type === 'file' && stat.sizeBytes > 0) yield* memberContent(files, root, place, stat.sizeBytes);
    if (stat.type !== 'directory' || closed.includes(place)) continue;
    const below = place.endsWith('/') ? place : `${place}/`;
    const names = root.readdir(place).map((entry) => entry.name).toSorted((a, b) => (a < b ? 1 : -1));
    pending.push(...names.map((entry) => ({ path: `${below}${entry}`, name: shown === null ? entry : `${shown}/${entry}` })));
  }
  yield TAR_END;
}

function lookAgain(root: Root, path: string): FileStat | null {
  try {
    return root.lstat(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Undefined for what an archive cannot hold. */
export function describeMember(root: Root, path: string, name: string, stat: FileStat): TarMember | undefined {
  if (stat.type === 'socket' || stat.type === 'unknown') return undefined;
  const xattrs = new Map<string, Uint8Array>();
  if (stat.type === 'file' || stat.type === 'directory') {
    for (const attribute of root.listXattr(path)) {
      const value = attribute.startsWith('user.') || attribute === 'security.capability' ? root.getXattr(path, attribute) : null;
      if (value !== null) xattrs.set(attribute, value);
    }
  }
  return {
    path: stat.type === 'directory' ? `${name}/` : name,
    type: stat.type,
    mode: stat.mode,
    uid: stat.uid,
    gid: stat.gid,
    sizeBytes: stat.sizeBytes,
    mtimeSeconds: stat.mtimeSeconds,
    mtimeNanoseconds: stat.mtimeNanoseconds,
    linkPath: stat.type === 'symlink' ? root.readlink(path) : '',
    deviceMajor: stat.rdevMajor,
    deviceMinor: stat.rdevMinor,
    xattrs,
  };
}

/** Exactly the promised length, whatever a running program does to the file meanwhile; then what fills the last block. */
export function* memberContent(files: Files, root: Root, path: string, sizeBytes: number): Generator<Uint8Array> {
  const fd = root.open(path, 'read');
  try {
    for (let left = sizeBytes; left > 0; ) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, left));
      const count = files.read(fd, chunk);
      const part = count === 0 ? chunk : chunk.subarray(0, count);
      left -= part.length;
      yield part;
    }
  } finally {
    files.close(fd);
  }
  const padding = tarPadding(sizeBytes);
  if (padding.length > 0) yield padding;
}
