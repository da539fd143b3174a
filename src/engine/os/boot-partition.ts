import type { Files } from '../ports/index.ts';

/** The boot partition, which is mounted read-only but while something is written. */
export interface BootPartition {
  readonly path: string;
  /** Makes it writable, works, syncs, and makes it read-only again whatever happens. */
  writing<T>(work: () => Promise<T>): Promise<T>;
  /** Puts a text in place: written aside, synced, renamed. Only within `writing`. */
  put(path: string, text: string): Promise<void>;
}

export function bootPartition(files: Files, path: string): BootPartition {
  const remount = (readOnly: boolean): void => files.mount({ source: '', target: path, type: '', flags: ['remount', 'nosuid', 'nodev', 'noexec', ...(readOnly ? (['read-only'] as const) : [])], data: '' });
  return {
    path,
    async writing(work) {
      remount(false);
      try {
        return await work();
      } finally {
        await files.syncFileSystem(path);
        remount(true);
      }
    },
    async put(name, text) {
      const target = `${path}/${name}`;
      files.mkdirs(target.slice(0, target.lastIndexOf('/')));
      const aside = `${target}.new`;
      const fd = files.open(aside, 'create');
      try {
        files.write(fd, text);
        await files.fsync(fd);
      } finally {
        files.close(fd);
      }
      files.rename(aside, target);
      await files.syncFileSystem(path);
    },
  };
}
