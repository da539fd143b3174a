import { TarError } from '../archive/index.ts';
import { EngineError, messageOf, systemErrorCode } from '../error.ts';
import { extractInto } from '../images/index.ts';
import type { ByteSource, FileStat, Files, Root } from '../ports/index.ts';
import { treeArchive } from '../tree/index.ts';
import type { Container } from './collection.ts';
import type { ContainerContext } from './context.ts';
import { isLive, type MountPoint } from './record.ts';
import { openSubpaths } from './subpaths.ts';
import { userOf } from './users.ts';

export interface PathStat {
  name: string;
  size: number;
  /** As Go's os.FileMode. */
  mode: number;
  mtime: string;
  linkTarget: string;
}

const KERNEL_FOLDERS = ['/dev', '/proc', '/sys'];

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

/** `container`: the name that the client knows it by. */
export function statPath(root: Root, path: string, container: string): PathStat {
  const stat = lookUp(root, path, container);
  return {
    name: baseName(path),
    size: stat.sizeBytes,
    mode: goFileMode(stat),
    mtime: new Date(stat.mtimeSeconds * 1000).toISOString(),
    linkTarget: stat.type === 'symlink' ? root.resolve(path) : '',
  };
}

function lookUp(root: Root, path: string, container: string): FileStat {
  try {
    return path.endsWith('/') ? root.stat(path) : root.lstat(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT' && systemErrorCode(error) !== 'ENOTDIR') throw error;
    throw new EngineError('not-found', 'PATH_UNKNOWN', `Could not find the file ${path} in container ${container}`);
  }
}

/**
 * A file or tree as the archive that clients get: it stands under its own name, '.' for what `path/.` names, below '/' for the root. A slash
 * at the end of the path follows a link. Of a running container the kernel's own file systems are left out when all of it is wanted.
 */
export function pathArchive(files: Files, root: Root, path: string, running: boolean): Generator<Uint8Array> {
  const place = /\/\.?$/.test(path) ? root.resolve(path) : path;
  const name = baseName(path);
  return treeArchive({ files, root, path: place, name: name === '/' ? '' : name, closed: running && place === '/' ? KERNEL_FOLDERS : [] });
}

export interface ArchiveTarget {
  path: string;
  /** The name that the client knows the container by. */
  container: string;
  /** A directory and a file never replace each other. */
  keepTypes: boolean;
  /** All belongs to the container's user, if it has one, and not to whom the archive names. */
  asUser: boolean;
}

/** Extracts a tar into a directory of the container. */
export async function readArchive(context: ContainerContext, container: Container, { path, container: name, keepTypes, asUser }: ArchiveTarget, source: ByteSource): Promise<void> {
  const { config, hostConfig } = container.record;
  if (hostConfig.ReadonlyRootfs) throw new EngineError('forbidden', 'READ_ONLY', 'container rootfs is marked read-only');
  await withFiles(context, container, 'with-volumes', async (root) => {
    lookUp(root, path, name);
    const target = root.resolve(path);
    if (root.stat(target).type !== 'directory') throw new EngineError('invalid', 'NOT_A_DIRECTORY', 'extraction point is not a directory');
    const owner = asUser && config.User !== '' ? userOf(root, config.User, []) : 'of-the-archive';
    try {
      await extractInto(context.system.files, source, root, target, { keepTypes, owner });
    } catch (error) {
      if (systemErrorCode(error) === 'EROFS') throw new EngineError('forbidden', 'READ_ONLY', 'mounted volume is marked read-only', { cause: error });
      if (error instanceof TarError || ['CORRUPT', 'TRUNCATED'].includes(systemErrorCode(error) ?? '')) throw new EngineError('invalid', 'ARCHIVE_INVALID', `the archive cannot be read: ${messageOf(error)}`, { cause: error });
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
