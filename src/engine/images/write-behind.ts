import type { Fd, Files } from '../ports/index.ts';

/**
 * Keeps an extraction from filling the memory: what has been written goes to the device while more arrives, and is dropped from the page
 * cache, where it would push out what containers use. Durable it becomes when the layer is committed.
 */
export interface WriteBehind {
  /** After each write to a file. Waits when the device is slower than the writer. */
  wrote(fd: Fd, sizeBytes: number): Promise<void>;
  /** In place of closing the file. */
  close(fd: Fd): Promise<void>;
  /** Resolves when everything has been handed over; throws what went wrong with any of it. */
  end(): Promise<void>;
  /** For an extraction that failed: closes what is left. Never rejects. */
  abandon(): Promise<void>;
}

/** Twice this, in each layer that is under way, is the most that waits for the device. */
const BATCH_BYTES = 2 * 1024 * 1024;
/** Small files stay open until their batch is full; a daemon may have 1024 descriptors. */
const BATCH_FILES = 64;

export function createWriteBehind(files: Pick<Files, 'close' | 'duplicate' | 'writeOut'>): WriteBehind {
  let waiting: Fd[] = [];
  let waitingBytes = 0;
  /** Of the file that is still being written. */
  let currentBytes = 0;
  let underWay: Promise<void> = Promise.resolve();

  const flush = async (): Promise<void> => {
    await underWay;
    const batch = waiting;
    waiting = [];
    waitingBytes = 0;
    underWay = files.writeOut(batch);
    // Whoever waits for it hears of a failure; nobody may be waiting yet.
    underWay.catch(() => undefined);
  };
  return {
    async wrote(fd, sizeBytes) {
      currentBytes += sizeBytes;
      waitingBytes += sizeBytes;
      if (waitingBytes < BATCH_BYTES) return;
      waiting.push(files.duplicate(fd));
      currentBytes = 0;
      await flush();
    },
    async close(fd) {
      if (currentBytes === 0) return files.close(fd);
      currentBytes = 0;
      waiting.push(fd);
      if (waiting.length >= BATCH_FILES) await flush();
    },
    async end() {
      await flush();
      await underWay;
    },
    async abandon() {
      for (const fd of waiting) files.close(fd);
      waiting = [];
      await underWay.catch(() => undefined);
    },
  };
}
