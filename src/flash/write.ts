import { createHash } from 'node:crypto';

import type { BlockMap } from '../image/index.ts';
import { OsbuildError } from '../model/index.ts';
import type { OpenDisk } from './disk.ts';
import type { ImageBytes } from './image-source.ts';

export interface FlashOptions {
  image: ImageBytes;
  map: BlockMap;
  /** Closed when this ends. */
  disk: OpenDisk;
  signal: AbortSignal;
  /** Bytes of the image's ranges that were written, or read back. */
  progress(stage: 'write' | 'verify', doneBytes: number, totalBytes: number): void;
}

export interface FlashReport {
  writtenBytes: number;
  ranges: number;
}

/** Partition table and boot areas: written last, so that a disk that was not written to its end does not start. */
export const headBytes = 1024 * 1024;

/** Forced to the medium in steps: progress is what the medium has taken, and the host's memory is not filled with what it has not. */
const settleEveryBytes = 16 * 1024 * 1024;

/**
 * Writes the ranges of an image, reads them back and compares their digests.
 * Throws OSB_HASH_MISMATCH where the image is not what its block map says, OSB_FLASH_FAILED where the disk does not take or
 * does not keep it, OSB_REMOTE_HOST where the host that it is in got lost, OSB_CANCELLED. After any of them the disk has no partition table.
 */
export async function flashDisk(options: FlashOptions): Promise<FlashReport> {
  const { map, disk } = options;
  try {
    await blankEnds(disk);
    const head = await writeBody(options);
    await disk.sync();
    for (const { start, bytes } of head) await disk.write(bytes, start);
    await disk.sync();
    await disk.dropCache();
    await verify(options);
    await disk.keep();
    return { writtenBytes: mappedBytes(map), ranges: map.ranges.length };
  } finally {
    // A disk that starts and fails later is worse than one that does not start.
    await disk.close(headBytes);
  }
}

const mappedBytes = ({ ranges }: BlockMap): number => ranges.reduce((sum, { start, end }) => sum + end - start, 0);

/** An old partition table, and an old GPT's copy at the end, must not outlive what they described. */
async function blankEnds(disk: OpenDisk): Promise<void> {
  const length = Math.min(headBytes, disk.sizeBytes);
  await disk.blank(0, length);
  await disk.blank(disk.sizeBytes - length, length);
  await disk.sync();
}

interface Piece {
  start: number;
  bytes: Uint8Array;
}

/** Writes all mapped bytes beyond the head, checks each range's digest on the way, and returns the pieces of the head. */
async function writeBody({ image, map, disk, signal, progress }: FlashOptions): Promise<Piece[]> {
  const total = mappedBytes(map);
  const head: Piece[] = [];
  let [position, index, done, unsettled] = [0, 0, 0, 0];
  let digest = createHash('sha256');
  for await (const chunk of image) {
    let offset = 0;
    while (offset < chunk.length) {
      if (signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled');
      const range = map.ranges[index];
      if (range === undefined || position + (chunk.length - offset) <= range.start) {
        position += chunk.length - offset;
        break;
      }
      if (position < range.start) {
        offset += range.start - position;
        position = range.start;
      }
      const end = Math.min(range.end, position + chunk.length - offset, position < headBytes ? headBytes : Number.POSITIVE_INFINITY);
      const bytes = chunk.subarray(offset, offset + (end - position));
      digest.update(bytes);
      if (position < headBytes) head.push({ start: position, bytes: Buffer.from(bytes) });
      else await disk.write(bytes, position);
      [offset, position, done, unsettled] = [offset + bytes.length, end, done + bytes.length, unsettled + bytes.length];
      if (unsettled >= settleEveryBytes) {
        await disk.settle();
        unsettled = 0;
        progress('write', done, total);
      }
      if (position < range.end) continue;
      if (digest.digest('hex') !== range.sha256) throw damagedImage(range);
      digest = createHash('sha256');
      index++;
    }
  }
  const missed = map.ranges[index];
  if (missed !== undefined) throw new OsbuildError('OSB_HASH_MISMATCH', `the image ends at byte ${position}, within what its block map names`, { hint: 'take the image and its .bmap of one build' });
  progress('write', done, total);
  return head;
}

async function verify({ map, disk, signal, progress }: FlashOptions): Promise<void> {
  const total = mappedBytes(map);
  let done = 0;
  for (const { start, end, sha256 } of map.ranges) {
    const read = await disk.digest(start, end, (bytes) => {
      if (signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled');
      done += bytes;
      progress('verify', done, total);
    });
    if (read !== sha256) {
      throw new OsbuildError('OSB_FLASH_FAILED', `${disk.name} does not hold what was written between bytes ${start} and ${end}`, { hint: 'the medium is worn out or a counterfeit; take another' });
    }
  }
}

function damagedImage({ start, end }: { start: number; end: number }): OsbuildError {
  return new OsbuildError('OSB_HASH_MISMATCH', `the image differs from its block map between bytes ${start} and ${end}`, { hint: 'it was damaged on its way: take it again, or build it' });
}
