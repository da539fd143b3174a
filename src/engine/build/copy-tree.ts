import { EngineError, systemErrorCode } from '../error.ts';
import type { FileStat, Files, Root } from '../ports/index.ts';
import { keptAttributes, walkTree, type Pace } from './file-tree.ts';
import type { IgnoreRules } from './ignore.ts';

export interface CopyLook {
  /** Undefined: as at the source. */
  owner: { uid: number; gid: number } | undefined;
  mode: number | undefined;
}

const CHUNK_BYTES = 1024 * 1024;

/** Copies a file, or what a folder holds, to a path of another root. Folders are merged, anything else is replaced. `skip`: what is left out. */
export async function copyTree(files: Files, from: Root, start: string, to: Root, target: string, look: CopyLook, rules: IgnoreRules | undefined, pace: Pace, skip: (stat: FileStat) => boolean = () => false): Promise<void> {
  const times: { path: string; stat: FileStat }[] = [];
  for await (const { path, relative, stat } of walkTree(from, start, rules, pace)) {
    const destination = relative === '' ? target : `${target === '/' ? '' : target}/${relative}`;
    if (skip(stat)) continue;
    if (stat.type === 'directory') {
      // The folder that a copy goes into keeps what it is.
      if (relative === '') {
        makeFolders(to, destination, look);
        continue;
      }
      const fresh = makeFolder(to, destination);
      if (fresh || rules === undefined) setLook(from, path, to, destination, stat, look);
      times.push({ path: destination, stat });
      continue;
    }
    if (rules !== undefined) makeFolders(to, parentOf(destination), look);
    await makeRoom(to, destination);
    await copyOne(files, from, path, to, destination, stat, pace);
    setLook(from, path, to, destination, stat, look);
    to.utimes(destination, stat.mtimeSeconds, stat.mtimeNanoseconds);
  }
  // Every name made in a folder changes its time.
  for (const { path, stat } of times) to.utimes(to.resolve(path), stat.mtimeSeconds, stat.mtimeNanoseconds);
}

async function copyOne(files: Files, from: Root, path: string, to: Root, destination: string, stat: FileStat, pace: Pace): Promise<void> {
  switch (stat.type) {
    case 'symlink':
      to.symlink(from.readlink(path), destination);
      return;
    case 'fifo':
      to.makeFifo(destination, 0o600);
      return;
    case 'character':
    case 'block':
      to.makeDevice(destination, stat.type, 0o600, stat.rdevMajor, stat.rdevMinor);
      return;
    case 'file':
      await copyContent(files, from, path, to, destination, pace);
      return;
    default:
      throw new EngineError('invalid', 'COPY_KIND', `cannot copy ${path}: it is a ${stat.type}`);
  }
}

async function copyContent(files: Files, from: Root, path: string, to: Root, destination: string, pace: Pace): Promise<void> {
  const input = from.open(path, 'read');
  try {
    const output = to.open(destination, 'create-new', 0o600);
    try {
      const buffer = new Uint8Array(CHUNK_BYTES);
      for (let count = files.read(input, buffer); count > 0; count = files.read(input, buffer)) {
        files.write(output, count === buffer.length ? buffer : buffer.subarray(0, count));
        await pace.step(count);
      }
    } finally {
      files.close(output);
    }
  } finally {
    files.close(input);
  }
}

function setLook(from: Root, path: string, to: Root, destination: string, stat: FileStat, { owner, mode }: CopyLook): void {
  to.lchown(destination, owner?.uid ?? stat.uid, owner?.gid ?? stat.gid);
  if (stat.type === 'symlink') return;
  // After the owner: a change of that takes setuid away.
  to.chmod(destination, mode ?? stat.mode & 0o7777);
  if (stat.type !== 'file' && stat.type !== 'directory') return;
  for (const [name, value] of keptAttributes(from, path)) {
    try {
      to.setXattr(destination, name, value);
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOTSUP' && systemErrorCode(error) !== 'EOPNOTSUPP') throw error;
    }
  }
}

/** Clears away what is not a folder. */
async function makeRoom(to: Root, path: string): Promise<void> {
  const present = kindAt(to, path);
  if (present === 'directory') throw new EngineError('invalid', 'TYPE_DIFFERS', `cannot copy to ${path}: it is a directory, and the source is not`);
  if (present !== undefined) await to.removeTree(path);
}

/** True when it made one. A link to a folder is as good as one: images have /bin as a link. */
function makeFolder(to: Root, path: string): boolean {
  try {
    to.mkdir(path, 0o755);
    return true;
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    if (kindAt(to, path, true) === 'directory') return false;
    throw new EngineError('invalid', 'TYPE_DIFFERS', `cannot copy to ${path}: it is not a directory, and the source is`);
  }
}

/** A folder with its parents; the new ones belong to `owner`. */
export function makeFolders(to: Root, path: string, { owner }: Pick<CopyLook, 'owner'>): void {
  const parts = path.split('/').filter((part) => part !== '');
  for (let count = 1; count <= parts.length; count += 1) {
    const folder = `/${parts.slice(0, count).join('/')}`;
    if (kindAt(to, folder, true) === 'directory') continue;
    if (makeFolder(to, folder) && owner !== undefined) to.lchown(folder, owner.uid, owner.gid);
  }
}

/** Undefined when nothing is there; a dangling link is a 'symlink' either way. */
export function kindAt(root: Root, path: string, follow = false): FileStat['type'] | undefined {
  for (const look of follow ? [root.stat, root.lstat] : [root.lstat]) {
    try {
      return look(path).type;
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT' && systemErrorCode(error) !== 'ENOTDIR') throw error;
    }
  }
  return undefined;
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}
