import { EngineError, systemErrorCode } from '../error.ts';
import type { Files } from '../ports/index.ts';
import type { MountPoint } from './record.ts';

export interface OpenSubpaths {
  /** By destination: where the part of the volume is mounted until `close`. */
  sources: ReadonlyMap<string, string>;
  close(): void;
}

/**
 * Parts of volumes that are to be mounted in a container, mounted below `folder` first: by descriptor, so that what another container does
 * to the volume meanwhile leads nowhere else. Throws 'not-found'.
 */
export function openSubpaths(files: Files, folder: string, mounts: readonly MountPoint[]): OpenSubpaths {
  const sources = new Map<string, string>();
  const close = (): void => {
    for (const target of sources.values()) {
      files.unmount(target, 'lazily');
      if (files.lstat(target).type === 'directory') files.rmdir(target);
      else files.unlink(target);
    }
    sources.clear();
  };
  for (const { source, destination, subpath } of mounts) {
    if (subpath === undefined) continue;
    const root = files.openRoot(source);
    try {
      const fd = root.open(subpath, 'read');
      try {
        const target = `${folder}/subpath-${sources.size}`;
        if (files.fstat(fd).type === 'directory') files.mkdir(target, 0o700);
        else files.writeText(target, '', 0o600);
        files.mount({ source: `/proc/self/fd/${fd}`, target, type: '', flags: ['bind'], data: '' });
        sources.set(destination, target);
      } finally {
        files.close(fd);
      }
    } catch (error) {
      close();
      if (systemErrorCode(error) !== 'ENOENT' && systemErrorCode(error) !== 'ENOTDIR') throw error;
      throw new EngineError('not-found', 'SUBPATH_UNKNOWN', `failed to mount subpath ${JSON.stringify(subpath)} at ${destination}: the volume has no such path`, { cause: error });
    } finally {
      root.close();
    }
  }
  return { sources, close };
}
