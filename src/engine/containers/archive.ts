import { TAR_END, TarError, tarHeaderBlocks, tarPadding, type TarMember } from '../archive/index.ts';
import { EngineError, systemErrorCode } from '../error.ts';
import { extractInto } from '../images/index.ts';
import type { ByteSink, ByteSource, FileStat, Files, Root } from '../ports/index.ts';
import type { Container } from './collection.ts';
import type { ContainerContext } from './context.ts';
import { isLive, type MountPoint } from './record.ts';
import { openSubpaths } from './subpaths.ts';

export interface PathStat {
  name: string;
  size: number;
  /** As Go's os.FileMode. */
  mode: number;
  mtime: string;
  linkTarget: string;
}

const CHUNK_BYTES = 64 * 1024;

/**
 * Calls `action` with the container's files: with its mounts while it runs, else its root file system alone, or that with its volumes as its
 * programs see them.
 */
export async function withFiles<T>(context: ContainerContext, container: Container, volumes: 'with-volumes' | 'bare', action: (root: Root) => Promise<T>): Promise<T> {
  const { record } = container;
  const { files } = context.system;
  if (isLive(record.state)) return useRoot(files, `/proc/${record.state.pid}/root`, action);
  return container.queue(async () => {
    if (isLive(record.state)) return useRoot(files, `/proc/${record.state.pid}/root`, action);
    const path = context.rootfs.mount(container.id, record.diffIds);
    try {
      if (volumes === 'with-volumes') mountVolumes(files, context.collection.folder(container.id), path, record.mounts);
      return await useRoot(files, path, action);
    } finally {
      context.rootfs.unmount(container.id);
    }
  });
}

/**
 * Volumes and binds of a container that does not run, at their places below its root file system; they go when that is unmounted. Each by
 * itself, without what is mounted on it: a lazy unmount would reach the host's mounts there.
 */
function mountVolumes(files: Files, folder: string, rootfs: string, mounts: readonly MountPoint[]): void {
  const subpaths = openSubpaths(files, folder, mounts);
  const root = files.openRoot(rootfs);
  try {
    for (const { type, source, destination, readOnly } of mounts) {
      if (type === 'tmpfs') continue;
      const from = subpaths.sources.get(destination) ?? source;
      // A bind whose source has gone is told of when the container starts.
      if (!files.exists(from)) continue;
      const parent = destination.slice(0, destination.lastIndexOf('/'));
      if (files.stat(from).type === 'directory') root.mkdirs(destination, 0o755);
      else {
        if (parent !== '') root.mkdirs(parent, 0o755);
        files.close(root.open(destination, 'create', 0o644));
      }
      const target = `${rootfs}${root.resolve(destination)}`;
      files.mount({ source: from, target, type: '', flags: ['bind'], data: '' });
      if (readOnly) files.mount({ source: '', target, type: '', flags: ['bind', 'remount', 'read-only'], data: '' });
    }
  } finally {
    root.close();
    subpaths.close();
  }
}

async function useRoot<T>(files: Files, path: string, action: (root: Root) => Promise<T>): Promise<T> {
  const root = files.openRoot(path);
  try {
    return await action(root);
  } finally {
    root.close();
  }
}

export function statPath(root: Root, path: string, containerId: string): PathStat {
  const stat = lookUp(root, path, containerId);
  return {
    name: baseName(path),
    size: stat.sizeBytes,
    mode: goFileMode(stat),
    mtime: new Date(stat.mtimeSeconds * 1000).toISOString(),
    linkTarget: stat.type === 'symlink' ? root.resolve(path) : '',
  };
}

function lookUp(root: Root, path: string, containerId: string): FileStat {
  try {
    return root.lstat(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT' && systemErrorCode(error) !== 'ENOTDIR') throw error;
    throw new EngineError('not-found', 'PATH_UNKNOWN', `Could not find the file ${path} in container ${containerId}`);
  }
}

/** Writes a file or tree as a tar in which it stands under its own name ('.' for the root). */
export async function writeArchive(files: Files, root: Root, path: string, sink: ByteSink): Promise<void> {
  const start = path.replace(/\/+$/, '');
  const name = baseName(path);
  const pending: { path: string; name: string }[] = [{ path: start === '' ? '/' : start, name: name === '/' ? '.' : name }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const stat = root.lstat(next.path);
    const member = describeMember(root, next.path, next.name, stat);
    if (member === undefined) continue;
    await sink.write(tarHeaderBlocks(member));
    if (stat.type === 'file') await writeContent(files, root, next.path, stat.sizeBytes, sink);
    if (stat.type !== 'directory') continue;
    const { path: folder, name: folderName } = next;
    pending.push(...root.readdir(folder).map((entry) => ({ path: `${folder === '/' ? '' : folder}/${entry.name}`, name: `${folderName}/${entry.name}` })));
  }
  await sink.write(TAR_END);
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

async function writeContent(files: Files, root: Root, path: string, sizeBytes: number, sink: ByteSink): Promise<void> {
  for (const part of memberContent(files, root, path, sizeBytes)) await sink.write(part);
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

/** Extracts a tar into a directory of the container. */
export async function readArchive(context: ContainerContext, container: Container, path: string, source: ByteSource, keepTypes: boolean): Promise<void> {
  const { hostConfig } = container.record;
  if (hostConfig.ReadonlyRootfs) throw new EngineError('forbidden', 'READ_ONLY', 'container rootfs is marked read-only');
  await withFiles(context, container, 'with-volumes', async (root) => {
    lookUp(root, path, container.id);
    const target = root.resolve(path);
    if (root.stat(target).type !== 'directory') throw new EngineError('invalid', 'NOT_A_DIRECTORY', 'extraction point is not a directory');
    try {
      await extractInto(context.system.files, source, root, target, keepTypes);
    } catch (error) {
      if (systemErrorCode(error) === 'EROFS') throw new EngineError('forbidden', 'READ_ONLY', 'mounted volume is marked read-only', { cause: error });
      if (error instanceof TarError) throw new EngineError('invalid', 'ARCHIVE_INVALID', `the archive cannot be read: ${error.message}`, { cause: error });
      throw error;
    }
  });
}

function baseName(path: string): string {
  return path.replace(/\/+$/, '').split('/').at(-1) || '/';
}

export function goFileMode(stat: FileStat): number {
  const kinds: Partial<Record<FileStat['type'], number>> = { directory: 2 ** 31, symlink: 2 ** 27, block: 2 ** 26, character: 2 ** 26 + 2 ** 21, fifo: 2 ** 25, socket: 2 ** 24 };
  const special = (stat.mode & 0o4000 ? 2 ** 23 : 0) + (stat.mode & 0o2000 ? 2 ** 22 : 0) + (stat.mode & 0o1000 ? 2 ** 20 : 0);
  return (kinds[stat.type] ?? 0) + special + (stat.mode & 0o777);
}
