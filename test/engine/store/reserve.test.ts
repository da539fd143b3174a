import { describe, expect, test } from 'vitest';
import type { Files } from '../../../src/engine/ports/index.ts';
import { withReserve } from '../../../src/engine/store/reserve.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const RESERVE = '/data/reserve';

/** A disk of a few files, of which only the sizes are known; what does not fit is refused as Linux does. Its last blocks are for root, and not in what it says is free. */
function disk(availableBytes: number, forRootBytes: number): { files: Files; sizes: Map<string, number> } {
  const sizes = new Map<string, number>();
  let left = availableBytes + forRootBytes;
  const put = (path: string, sizeBytes: number): void => {
    const before = sizes.get(path) ?? 0;
    if (sizeBytes - before > left) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    left -= sizeBytes - before;
    sizes.set(path, sizeBytes);
  };
  const files: Partial<Files> = {
    exists: (path) => sizes.has(path),
    stat: (path) => ({ sizeBytes: sizes.get(path) ?? 0 }) as ReturnType<Files['stat']>,
    unlink: (path) => {
      left += sizes.get(path) ?? 0;
      sizes.delete(path);
    },
    open: () => 1,
    close: () => undefined,
    allocate: (_fd, sizeBytes) => put(RESERVE, sizeBytes),
    space: () => ({ availableBytes: Math.max(0, left - forRootBytes) }) as ReturnType<Files['space']>,
    writeText: (path, text) => put(path, text.length),
    replaceFile: async (path, text) => put(path, text.length),
  };
  return { files: files as Files, sizes };
}

/** Full but for the reserve, which may stand on root's blocks. */
const nearlyFull = (forRootBytes = 0): { files: Files; sizes: Map<string, number> } => {
  const { files, sizes } = disk(20 * MiB - forRootBytes, forRootBytes);
  const kept = withReserve(files, '/data', '/data/tmp');
  files.writeText('/data/ballast', 'x'.repeat(19 * MiB), 0o600);
  return { files: kept, sizes };
};

describe('the reserve', () => {
  test('is set aside where there is ample room', () => {
    expect(nearlyFull().sizes.get(RESERVE)).toBe(MiB);
  });

  test.each([
    ['', 0],
    [' where it stands on the blocks that are kept for root', 2 * MiB],
  ])('gives way to a document, and takes back what it leaves%s', (_, forRootBytes) => {
    const { files, sizes } = nearlyFull(forRootBytes);
    files.writeText('/data/state.json', 'x'.repeat(100 * KiB), 0o600);
    expect(sizes.get('/data/state.json')).toBe(100 * KiB);
    expect(sizes.get(RESERVE)).toBe(MiB - 128 * KiB);
  });

  test('is not for what is not finished yet', () => {
    const { files, sizes } = nearlyFull();
    expect(() => files.writeText('/data/tmp/pull', 'x'.repeat(KiB), 0o600)).toThrow(/ENOSPC/);
    expect(sizes.get(RESERVE)).toBe(MiB);
  });

  test.each([
    ['at once', (files: Files, text: string) => files.writeText('/data/state.json', text, 0o600)],
    ['in the background', (files: Files, text: string) => files.replaceFile('/data/state.json', text, 0o600)],
  ])('is whole again where even so a document does not fit, written %s', async (_, write) => {
    const { files, sizes } = nearlyFull();
    await expect(async () => write(files, 'x'.repeat(2 * MiB))).rejects.toThrow(/ENOSPC/);
    expect(sizes.get(RESERVE)).toBe(MiB);
  });
});
