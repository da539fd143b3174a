import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { flashDisk, openImage, openLocalDisk, type FlashOptions } from '../../src/flash/index.ts';
import { encodeBmap } from '../../src/image/bmap.ts';
import { decodeBmap, type BlockMap } from '../../src/image/index.ts';

const MiB = 1024 * 1024;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** An image with something in its first MiB, across its border, further on, and at its end, and holes between. */
const image = Buffer.alloc(22 * MiB + 512);
const places: Array<[number, number]> = [[0, 8192], [MiB - 4096, MiB + 8192], [2 * MiB, 20 * MiB], [22 * MiB, 22 * MiB + 512]];
for (const [start, end] of places) randomBytes(end - start).copy(image, start);
const map: BlockMap = { imageBytes: image.length, ranges: places.map(([start, end]) => ({ start, end, sha256: sha256(image.subarray(start, end)) })) };
const deviceBytes = 32 * MiB;

let folder: string;
let disk: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'osbuild-flash-'));
  disk = join(folder, 'disk');
  writeFileSync(disk, Buffer.alloc(deviceBytes, 0xee));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A zstd frame (RFC 8878, section 3.1.1) of raw blocks, the content's size in four bytes. */
function zstd(content: Buffer): Buffer {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0]);
  header.writeUInt32LE(content.length, 5);
  const blocks: Buffer[] = [];
  for (let at = 0; at < content.length; at += 65536) {
    const bytes = content.subarray(at, at + 65536);
    const block = Buffer.alloc(3);
    block.writeUIntLE((bytes.length << 3) | (at + 65536 >= content.length ? 1 : 0), 0, 3);
    blocks.push(block, bytes);
  }
  return Buffer.concat([header, ...blocks]);
}

async function flash(bytes: Buffer, { device = disk, dropCache = async () => undefined, ...own }: Partial<FlashOptions> & { device?: string; dropCache?(): Promise<void> } = {}) {
  const path = join(folder, 'x.img.zst');
  writeFileSync(path, zstd(bytes));
  return flashDisk({ image: openImage(path), map, disk: await openLocalDisk(device, deviceBytes, dropCache), signal: new AbortController().signal, progress: () => undefined, ...own });
}

/** No partition table, no boot area, no copy of an old GPT. */
function expectBlankEnds(): void {
  const content = readFileSync(disk);
  expect(content.subarray(0, MiB).every((byte) => byte === 0)).toBe(true);
  expect(content.subarray(-MiB).every((byte) => byte === 0)).toBe(true);
}

test('mapped bytes are written and read back; holes stay as they were, but for the ends of the disk', async () => {
  const stages: string[] = [];
  expect(await flash(image, { progress: (stage, done, total) => stages.push(`${stage} ${done}/${total}`) })).toEqual({ writtenBytes: 18 * MiB + 8192 + 12288 + 512, ranges: 4 });
  const content = readFileSync(disk);
  for (const [start, end] of places) expect(content.subarray(start, end).equals(image.subarray(start, end))).toBe(true);
  expect(content.subarray(8192, MiB - 4096).every((byte) => byte === 0)).toBe(true);
  expect(content.subarray(20 * MiB, 22 * MiB).every((byte) => byte === 0xee)).toBe(true);
  expect(content.subarray(-MiB).every((byte) => byte === 0)).toBe(true);
  expect(stages.at(-1)).toMatch(/^verify (\d+)\/\1$/);
});

describe('afterwards the disk does not start', () => {
  test('when the image was damaged', async () => {
    const damaged = Buffer.from(image);
    damaged.writeUInt8(damaged.readUInt8(9 * MiB) ^ 1, 9 * MiB);
    await expect(flash(damaged)).rejects.toMatchObject({ code: 'OSB_HASH_MISMATCH', message: `the image differs from its block map between bytes ${2 * MiB} and ${20 * MiB}` });
    expectBlankEnds();
  });

  test('when the image is cut short, by a block or within its compression', async () => {
    await expect(flash(image.subarray(0, 21 * MiB))).rejects.toMatchObject({ code: 'OSB_HASH_MISMATCH', message: expect.stringContaining('the image ends at byte') });
    expectBlankEnds();
    const path = join(folder, 'cut.img.zst');
    writeFileSync(path, zstd(image).subarray(0, 10 * MiB));
    await expect(flash(image, { image: openImage(path) })).rejects.toMatchObject({ code: 'OSB_HASH_MISMATCH' });
    expectBlankEnds();
  });

  test('when it was cancelled half-way', async () => {
    const abort = new AbortController();
    await expect(flash(image, { signal: abort.signal, progress: () => abort.abort() })).rejects.toMatchObject({ code: 'OSB_CANCELLED' });
    expectBlankEnds();
  });

  test('when the medium does not keep what it took', async () => {
    const forget = async (): Promise<void> => {
      const content = readFileSync(disk);
      content.fill(0, 7 * MiB, 7 * MiB + 512);
      writeFileSync(disk, content);
    };
    await expect(flash(image, { dropCache: forget })).rejects.toMatchObject({ code: 'OSB_FLASH_FAILED', hint: expect.stringContaining('counterfeit') });
    expectBlankEnds();
  });
});

test('a disk that takes nothing, and one that is not there', async () => {
  await expect(flash(image, { device: '/dev/full' })).rejects.toMatchObject({ code: 'OSB_FLASH_FAILED', message: expect.stringContaining('took no more at byte 0') });
  await expect(flash(image, { device: join(folder, 'none') })).rejects.toMatchObject({ code: 'OSB_DISK_REFUSED' });
});

test('a file that is not compressed at all is said to be none', async () => {
  const path = join(folder, 'text.img.zst');
  writeFileSync(path, 'no image');
  await expect(flash(image, { image: openImage(path) })).rejects.toMatchObject({ code: 'OSB_HASH_MISMATCH', message: expect.stringContaining('cannot be decompressed') });
});

describe('block maps', () => {
  test('are read as they were written', () => expect(decodeBmap(encodeBmap(map))).toEqual(map));

  test('are refused when a digit has changed, or when they are something else', () => {
    const text = encodeBmap(map);
    expect(() => decodeBmap(text.replace('<ImageSize> ', '<ImageSize> 9'))).toThrow('its checksum differs');
    expect(() => decodeBmap('{}')).toThrow('not a block map');
  });
});
