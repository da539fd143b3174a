import { EngineError } from '../error.ts';
import type { Files } from '../ports/index.ts';
import { digestOf } from './digest.ts';

const CHUNK_BYTES = 256 * 1024;

/** The boot partition, which is mounted read-only but while something is written. */
export interface BootPartition {
  readonly path: string;
  /** Makes it writable, works, syncs, and makes it read-only again whatever happens. */
  writing<T>(work: () => Promise<T>): Promise<T>;
  /** Puts a text in place: written aside, synced, renamed. Only within `writing`. */
  put(path: string, text: string): Promise<void>;
  /** The same with a file of this SHA-256, which is read back before it counts. Throws when it is another one; then nothing has changed. */
  copy(path: string, from: string, digest: string): Promise<void>;
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
    async copy(name, from, digest) {
      const target = `${path}/${name}`;
      files.mkdirs(target.slice(0, target.lastIndexOf('/')));
      const aside = `${target}.new`;
      try {
        await copyOut(files, from, aside);
        if (digestOf(files, aside) !== digest) throw new EngineError('internal', 'OS_SLOT_DAMAGED', `${aside} is not what was written`, { hint: 'the medium is worn out, or somebody changed the file that it was copied from' });
      } catch (error) {
        if (files.exists(aside)) files.unlink(aside);
        throw error;
      }
      files.rename(aside, target);
      await files.syncFileSystem(path);
    },
  };
}

/** Onto the device and out of memory, so that it is read back from there. */
async function copyOut(files: Files, from: string, to: string): Promise<void> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  const source = files.open(from, 'read');
  try {
    const fd = files.open(to, 'create');
    let open = true;
    try {
      for (let length = files.read(source, buffer); length > 0; length = files.read(source, buffer)) files.write(fd, buffer.subarray(0, length));
      await files.fsync(fd);
      open = false;
      await files.writeOut([fd]);
    } finally {
      if (open) files.close(fd);
    }
  } finally {
    files.close(source);
  }
}
