import { describe, expect, it } from 'vitest';
import { createWriteBehind } from '../../../src/engine/images/write-behind.ts';

/** Files that only count: descriptors above 1000 are duplicates. */
function countingFiles(): { open: Set<number>; batches: number[][]; unwritten: () => number; finish: (error?: Error) => void; port: Parameters<typeof createWriteBehind>[0] } {
  const open = new Set<number>();
  const batches: number[][] = [];
  const waiting: { resolve: () => void; reject: (error: Error) => void; fds: readonly number[] }[] = [];
  let copies = 1000;
  return {
    open, batches,
    unwritten: () => waiting.length,
    finish(error) {
      const job = waiting.shift();
      for (const fd of job?.fds ?? []) open.delete(fd);
      if (error === undefined) job?.resolve();
      else job?.reject(error);
    },
    port: {
      close: (fd) => void open.delete(fd),
      duplicate() {
        open.add((copies += 1));
        return copies;
      },
      writeOut(fds) {
        batches.push([...fds]);
        return new Promise((resolve, reject) => waiting.push({ resolve, reject, fds }));
      },
    },
  };
}

const MB = 1024 * 1024;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('writing behind an extraction', () => {
  it('waits only when a second batch is full and the first has not been written', async () => {
    const files = countingFiles();
    const behind = createWriteBehind(files.port);
    files.open.add(3);
    for (let written = 0; written < 3; written += 1) await behind.wrote(3, MB);
    expect(files.batches).toEqual([[1001]]);
    let waits = true;
    const second = behind.wrote(3, MB).then(() => (waits = false));
    await turn();
    expect([waits, files.unwritten()]).toEqual([true, 1]);
    files.finish();
    await second;
    expect(files.batches).toEqual([[1001], [1002]]);
    await behind.close(3);
    expect([...files.open]).toEqual([1002]);
  });

  it('hands small files over together, keeps few open, and closes empty ones at once', async () => {
    const files = countingFiles();
    const behind = createWriteBehind(files.port);
    for (let fd = 1; fd <= 130; fd += 1) {
      files.open.add(fd);
      if (fd % 2 === 0) await behind.wrote(fd, 100);
      await behind.close(fd);
    }
    expect(files.batches).toEqual([Array.from({ length: 64 }, (_, index) => 2 * (index + 1))]);
    files.finish();
    const end = behind.end();
    await turn();
    files.finish();
    await end;
    expect([files.batches.length, files.batches[1]]).toEqual([2, [130]]);
    expect(files.open.size).toBe(0);
  });

  it('tells of a batch that could not be written, and leaves nothing open', async () => {
    const files = countingFiles();
    const behind = createWriteBehind(files.port);
    files.open.add(3);
    await behind.wrote(3, 2 * MB);
    files.finish(new Error('no space left on device'));
    await turn();
    files.open.add(4);
    await behind.wrote(4, 10);
    await behind.close(4);
    await expect(behind.end()).rejects.toThrow('no space left on device');
    await behind.abandon();
    expect([...files.open]).toEqual([3]);
  });
});
