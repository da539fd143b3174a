import { encode } from 'host:bytes';
import { createTarReader, decompressed, type TarEntry, type TarReader } from '../archive/index.ts';
import { EngineError, messageOf, systemErrorCode } from '../error.ts';
import type { ByteSource, Fd, Files, Root } from '../ports/index.ts';
import { entryPath, parentPath } from './entry-path.ts';
import type { LayerRecorder } from './layer-record.ts';
import { classifyWhiteout } from './whiteouts.ts';
import { createWriteBehind, type WriteBehind } from './write-behind.ts';

export interface ExtractedLayer {
  /** Sum of the files' lengths, as Docker counts a layer. */
  sizeBytes: number;
  entries: number;
}

/** 'overlay': removals become overlay's own marks. 'apply': they remove what stands there (import, copy into a container). */
export type WhiteoutMode = 'overlay' | 'apply';

/** Takes away what stands at a path where something else is to be. */
type Clear = (path: string) => Promise<void>;

const OPAQUE_XATTR = 'trusted.overlay.opaque';
const OVERLAY_XATTRS = /^(?:trusted|user)\.overlay\./;
const YES = encode('y');

export interface ExtractOptions {
  /** A directory and a file never replace each other. */
  keepTypes: boolean;
  /** Whose the files are: 'ours' leaves them to who extracts, who may not be allowed to give them away. */
  owner: 'of-the-archive' | 'ours' | { uid: number; gid: number };
  /** What stands in the archive as the first name, or below it, comes out as the second. */
  rename?: { from: string; to: string };
  /** What messages call the folder; its path below the root unless given. */
  shownAs?: string;
}

/** Extracts an archive (compressed or not) into a folder: no name of it leaves the root, whatever links there are. */
export async function extractInto(files: Files, source: ByteSource, root: Root, folder: string, options: ExtractOptions): Promise<void> {
  const plain = await decompressed(source);
  const clear: Clear = (path) => root.removeTree(path);
  const below = folder.replace(/^\/+|\/+$/g, '');
  const placed = (path: string): string => {
    const inside = renamed(entryPath(path), options.rename);
    return below === '' ? inside : inside === '' ? below : `${below}/${inside}`;
  };
  const reader = createTarReader(plain);
  try {
    for (let entry = await reader.next(); entry !== null; entry = await reader.next()) {
      const path = placed(entry.path);
      if (options.keepTypes) refuseOtherType(root, entry, path, options.shownAs === undefined ? ['', `/${below}`] : [options.shownAs, options.shownAs]);
      const linkPath = entry.type === 'hardlink' ? placed(entry.linkPath) : entry.linkPath;
      // The folder itself keeps its owner and mode.
      if (path === below) continue;
      await refusing(entry, () => writeEntry(files, root, clear, reader, { ...entry, linkPath }, path, undefined, options.owner));
    }
    await reader.drain();
  } finally {
    plain.close();
  }
}

function renamed(path: string, rename: ExtractOptions['rename']): string {
  if (rename === undefined) return path;
  const { from, to } = rename;
  if (from === '') return path === '' ? to : `${to}/${path}`;
  return path === from || path.startsWith(`${from}/`) ? `${to}${path.slice(from.length)}` : path;
}

/** `shown`: what stands before the path in the message, and what the folder is called there. */
function refuseOtherType(root: Root, entry: TarEntry, path: string, [before, folder]: readonly [string, string]): void {
  let present: string;
  try {
    present = root.lstat(path).type;
  } catch {
    return;
  }
  if ((present === 'directory') === (entry.type === 'directory')) return;
  const [kind, other] = present === 'directory' ? ['directory', 'non-directory'] : ['non-directory', 'directory'];
  throw new EngineError('invalid', 'TYPE_DIFFERS', `cannot overwrite ${kind} "${before === '/' ? '' : before}/${path}" with ${other} "${folder}"`);
}

/** Extracts an uncompressed layer as it arrives. Nothing is durable: whoever commits the layer syncs once, for all of it. */
export async function extractLayer(files: Files, source: ByteSource, root: Root, whiteouts: WhiteoutMode, recorder: LayerRecorder): Promise<ExtractedLayer> {
  const writeBehind = createWriteBehind(files);
  try {
    const extracted = await extractEntries(files, source, root, whiteouts, recorder, writeBehind);
    await writeBehind.end();
    return extracted;
  } catch (error) {
    await writeBehind.abandon();
    throw error;
  }
}

async function extractEntries(files: Files, source: ByteSource, root: Root, whiteouts: WhiteoutMode, recorder: LayerRecorder, writeBehind: WriteBehind): Promise<ExtractedLayer> {
  const reader = createTarReader(source, (bytes) => recorder.bytes(bytes));
  const clear: Clear = (path) => recorder.clear(path);
  const directoryTimes = new Map<string, { seconds: number; nanoseconds: number }>();
  let sizeBytes = 0;
  let entries = 0;
  for (let entry = await reader.next(); entry !== null; entry = await reader.next()) {
    const path = entryPath(entry.path);
    entries += 1;
    const meaning = classifyWhiteout(path);
    if (meaning.kind === 'ignored') continue;
    if (meaning.kind === 'opaque') {
      if (whiteouts === 'overlay') await refusing(entry, () => withParents(root, `${meaning.directory}/.`, () => root.setXattr(meaning.directory, OPAQUE_XATTR, YES)));
      continue;
    }
    if (meaning.kind === 'removal') {
      const mark = (): void => {
        if (whiteouts === 'overlay') root.makeDevice(meaning.path, 'character', 0, 0, 0);
      };
      await refusing(entry, () => replace(root, clear, meaning.path, mark));
      continue;
    }
    await refusing(entry, () => writeEntry(files, root, clear, reader, entry, path, writeBehind));
    if (entry.type === 'file') recorder.file(entry, path);
    if (entry.type === 'directory') directoryTimes.set(path, { seconds: entry.mtimeSeconds, nanoseconds: entry.mtimeNanoseconds });
    if (entry.type === 'file') sizeBytes += entry.sizeBytes;
  }
  await reader.drain();
  // Last of all, since every name made in a directory changes its time.
  for (const [path, time] of directoryTimes) {
    try {
      root.utimes(path, time.seconds, time.nanoseconds);
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
    }
  }
  return { sizeBytes, entries };
}

/** What the kernel says of an entry that cannot be: a name too long, a file below a file, a way out by a link. */
const IMPOSSIBLE = new Set(['E2BIG', 'EEXIST', 'EFBIG', 'EINVAL', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'ENOENT', 'ENOTDIR', 'EPERM', 'ERANGE', 'EXDEV', 'EMLINK', 'EOVERFLOW']);
const SHOWN_LENGTH = 200;

/** That an entry cannot be made is the archive's fault, not ours. */
async function refusing<T>(entry: TarEntry, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    const code = systemErrorCode(error);
    if (error instanceof EngineError || !(error instanceof RangeError || (code !== undefined && IMPOSSIBLE.has(code)))) throw error;
    throw new EngineError('invalid', 'LAYER_ENTRY_IMPOSSIBLE', `archive entry ${JSON.stringify(entry.path.slice(0, SHOWN_LENGTH))} cannot be made: ${messageOf(error).slice(0, SHOWN_LENGTH)}`, { cause: error });
  }
}

async function writeEntry(files: Files, root: Root, clear: Clear, reader: TarReader, entry: TarEntry, path: string, writeBehind?: WriteBehind, owner: ExtractOptions['owner'] = 'of-the-archive'): Promise<void> {
  switch (entry.type) {
    case 'directory':
      await makeDirectory(root, clear, path);
      break;
    case 'file': {
      const fd = await replace(root, clear, path, () => root.open(path, 'create-new', 0o600));
      try {
        await writeContent(files, fd, reader, entry, writeBehind);
      } catch (error) {
        files.close(fd);
        throw error;
      }
      if (writeBehind === undefined) files.close(fd);
      else await writeBehind.close(fd);
      break;
    }
    case 'hardlink': {
      const target = entryPath(entry.linkPath);
      // Not through replace() first: a link to itself must not remove its only name.
      if (target === path) return;
      await replace(root, clear, path, () => root.link(target, path), `hard link ${JSON.stringify(entry.path)} to ${JSON.stringify(entry.linkPath)}`);
      return;
    }
    case 'symlink':
      await replace(root, clear, path, () => root.symlink(entry.linkPath, path));
      break;
    case 'fifo':
      await replace(root, clear, path, () => root.makeFifo(path, 0o600));
      break;
    case 'character':
    case 'block': {
      const type = entry.type;
      await replace(root, clear, path, () => root.makeDevice(path, type, 0o600, entry.deviceMajor, entry.deviceMinor));
      break;
    }
  }
  setMetadata(root, entry, path, owner);
}

function setMetadata(root: Root, entry: TarEntry, path: string, owner: ExtractOptions['owner']): void {
  if (owner !== 'ours') {
    const { uid, gid } = owner === 'of-the-archive' ? entry : owner;
    root.lchown(path, uid, gid);
  }
  if (entry.type !== 'symlink') root.chmod(path, entry.mode);
  for (const [name, value] of entry.xattrs) {
    // Overlay's own marks in an image could point a file at another layer's inode.
    if (OVERLAY_XATTRS.test(name)) continue;
    try {
      root.setXattr(path, name, value);
    } catch (error) {
      const code = systemErrorCode(error);
      if (code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && !(code === 'EPERM' && owner === 'ours')) throw error;
    }
  }
  if (entry.type !== 'directory') root.utimes(path, entry.mtimeSeconds, entry.mtimeNanoseconds);
}

async function makeDirectory(root: Root, clear: Clear, path: string): Promise<void> {
  if (path === '') return;
  try {
    await withParents(root, path, () => root.mkdir(path, 0o700));
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    if (root.lstat(path).type === 'directory') return;
    await clear(path);
    root.mkdir(path, 0o700);
  }
}

/** Runs `make`, after clearing away what stands at the path, and with the parents made if they are missing. */
async function replace<T>(root: Root, clear: Clear, path: string, make: () => T, what?: string): Promise<T> {
  if (path === '') throw new EngineError('invalid', 'LAYER_ROOT_REPLACED', 'archive replaces its root by something that is not a directory');
  try {
    return await withParents(root, path, make);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT' && what !== undefined) throw new EngineError('invalid', 'LAYER_LINK_BROKEN', `${what}: there is no such file in the layer`);
    if (code !== 'EEXIST') throw error;
    await clear(path);
    return make();
  }
}

/** Archives may leave directories out; they are made as Docker makes them. */
async function withParents<T>(root: Root, path: string, make: () => T): Promise<T> {
  try {
    return make();
  } catch (error) {
    const parent = parentPath(path);
    if (systemErrorCode(error) !== 'ENOENT' || parent === '') throw error;
    root.mkdirs(parent, 0o755);
    return make();
  }
}

async function writeContent(files: Files, fd: Fd, reader: TarReader, entry: TarEntry, writeBehind: WriteBehind | undefined): Promise<void> {
  if (entry.sparse === undefined) {
    for (let part = await reader.content.read(); part !== null; part = await reader.content.read()) {
      files.write(fd, part);
      await writeBehind?.wrote(fd, part.length);
    }
    return;
  }
  let range = 0;
  let done = 0;
  for (let part = await reader.content.read(); part !== null; part = await reader.content.read()) {
    let left = part;
    while (left.length > 0) {
      const current = entry.sparse[range];
      if (current === undefined) throw new EngineError('invalid', 'LAYER_SPARSE_DAMAGED', 'sparse file has more data than ranges');
      const take = Math.min(left.length, current.sizeBytes - done);
      if (take > 0) {
        files.seek(fd, current.offset + done);
        files.write(fd, left.subarray(0, take));
      }
      left = left.subarray(take);
      done += take;
      if (done === current.sizeBytes) {
        range += 1;
        done = 0;
      }
    }
    await writeBehind?.wrote(fd, part.length);
  }
  files.truncate(fd, entry.sizeBytes);
}
