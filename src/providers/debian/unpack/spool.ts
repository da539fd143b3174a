import { open } from 'node:fs/promises';

/** A file that collects the data of many small ones, so that they can be ordered later without staying in memory. */
export interface Spool {
  file: string;
  /** Appends a piece; returns where it begins. */
  append(data: Buffer): Promise<number>;
  /** Where the next piece will begin. */
  position(): number;
  close(): Promise<void>;
}

const bufferBytes = 1 << 20;

export async function openSpool(file: string): Promise<Spool> {
  const handle = await open(file, 'w');
  const buffer = Buffer.allocUnsafe(bufferBytes);
  let used = 0;
  let total = 0;
  const flush = async (): Promise<void> => {
    for (let done = 0; done < used; ) done += (await handle.write(buffer, done, used - done)).bytesWritten;
    used = 0;
  };
  return {
    file,
    position: () => total,
    async append(data) {
      const begin = total;
      total += data.length;
      for (let offset = 0; offset < data.length; ) {
        const length = Math.min(data.length - offset, bufferBytes - used);
        data.copy(buffer, used, offset, offset + length);
        used += length;
        offset += length;
        if (used === bufferBytes) await flush();
      }
      return begin;
    },
    async close() {
      try {
        await flush();
      } finally {
        await handle.close();
      }
    },
  };
}
