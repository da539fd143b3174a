import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import type { BlockMap } from '../image/index.ts';
import { OsbuildError } from '../model/index.ts';
import type { ImageBytes } from './image-source.ts';

export interface FlashOptions {
  image: ImageBytes;
  map: BlockMap;
  /** A block device, or a file in tests; opened exclusively, so that the kernel refuses what is mounted. */
  device: string;
  deviceBytes: number;
  /** Drops the host's cache of the device, so that reading back reads the medium. */
  dropCache(): Promise<void>;
  signal: AbortSignal;
  /** Bytes of the image's ranges that were written, or read back. */
  progress(stage: 'write' | 'verify', doneBytes: number, totalBytes: number): void;
}

export interface FlashReport {
  writtenBytes: number;
  ranges: number;
}

/** Partition table and boot areas: written last, so that a disk that was not written to its end does not start. */
const headBytes = 1024 * 1024;

/** Forced to the medium in steps: progress is what the medium has taken, and the host's memory is not filled with what it has not. */
const syncEveryBytes = 16 * 1024 * 1024;

/**
 * Writes the ranges of an image, reads them back and compares their digests.
 * Throws OSB_HASH_MISMATCH where the image is not what its block map says, OSB_FLASH_FAILED where the disk does not take or
 * does not keep it, OSB_CANCELLED. After any of them the disk has no partition table.
 */
export async function flashDisk(options: FlashOptions): Promise<FlashReport> {
  const { map, device } = options;
  const file = await openExclusively(device);
  try {
    await blankEnds(file, options.deviceBytes);
    const head = await writeBody(file, options);
    await file.sync();
    for (const { start, bytes } of head) await write(file, bytes, start, device);
    await file.sync();
    await options.dropCache();
    await verify(file, options);
    return { writtenBytes: mappedBytes(map), ranges: map.ranges.length };
  } catch (error) {
    // A disk that starts and fails later is worse than one that does not start.
    await file.write(Buffer.alloc(headBytes), 0, Math.min(headBytes, options.deviceBytes), 0).then(() => file.sync()).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
}

const mappedBytes = ({ ranges }: BlockMap): number => ranges.reduce((sum, { start, end }) => sum + end - start, 0);

async function openExclusively(device: string): Promise<FileHandle> {
  try {
    return await open(device, constants.O_RDWR | constants.O_EXCL);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EBUSY') throw new OsbuildError('OSB_DISK_REFUSED', `${device} is in use`, { hint: 'something has mounted or opened it; unmount it first', cause });
    if (code === 'EACCES' || code === 'EPERM') throw new OsbuildError('OSB_DISK_REFUSED', `${device} may not be written by you`, { hint: 'run it with sudo, or become a member of the group disk', cause });
    if (code === 'EROFS') throw new OsbuildError('OSB_DISK_REFUSED', `${device} is write-protected`, { hint: 'move the lock of the card or of its adapter', cause });
    throw new OsbuildError('OSB_DISK_REFUSED', `${device} cannot be opened: ${(cause as Error).message}`, { cause });
  }
}

/** An old partition table, and an old GPT's copy at the end, must not outlive what they described. */
async function blankEnds(file: FileHandle, deviceBytes: number): Promise<void> {
  const length = Math.min(headBytes, deviceBytes);
  await write(file, Buffer.alloc(length), 0, 'the disk');
  await write(file, Buffer.alloc(length), deviceBytes - length, 'the disk');
  await file.sync();
}

interface Piece {
  start: number;
  bytes: Uint8Array;
}

/** Writes all mapped bytes beyond the head, checks each range's digest on the way, and returns the pieces of the head. */
async function writeBody(file: FileHandle, { image, map, device, signal, progress }: FlashOptions): Promise<Piece[]> {
  const total = mappedBytes(map);
  const head: Piece[] = [];
  let [position, index, done, unsynced] = [0, 0, 0, 0];
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
      else await write(file, bytes, position, device);
      [offset, position, done, unsynced] = [offset + bytes.length, end, done + bytes.length, unsynced + bytes.length];
      if (unsynced >= syncEveryBytes) {
        await file.datasync();
        unsynced = 0;
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

async function verify(file: FileHandle, { map, device, signal, progress }: FlashOptions): Promise<void> {
  const total = mappedBytes(map);
  const buffer = Buffer.alloc(headBytes);
  let done = 0;
  for (const { start, end, sha256 } of map.ranges) {
    const digest = createHash('sha256');
    for (let position = start; position < end; ) {
      if (signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled');
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - position), position).catch((cause: Error) => {
        throw new OsbuildError('OSB_FLASH_FAILED', `${device} cannot be read back at byte ${position}: ${cause.message}`, { hint: 'the medium is worn out, or not as large as it says', cause });
      });
      if (bytesRead === 0) throw new OsbuildError('OSB_FLASH_FAILED', `${device} ends at byte ${position}`, { hint: 'the medium is not as large as it says' });
      digest.update(buffer.subarray(0, bytesRead));
      position += bytesRead;
      done += bytesRead;
      progress('verify', done, total);
    }
    if (digest.digest('hex') !== sha256) {
      throw new OsbuildError('OSB_FLASH_FAILED', `${device} does not hold what was written between bytes ${start} and ${end}`, { hint: 'the medium is worn out or a counterfeit; take another' });
    }
  }
}

async function write(file: FileHandle, bytes: Uint8Array, position: number, device: string): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, offset, bytes.length - offset, position + offset).catch((cause: Error) => {
      throw new OsbuildError('OSB_FLASH_FAILED', `${device} took no more at byte ${position + offset}: ${cause.message}`, { hint: 'was it pulled out? otherwise the medium is worn out; take another', cause });
    });
    offset += bytesWritten;
  }
}

function damagedImage({ start, end }: { start: number; end: number }): OsbuildError {
  return new OsbuildError('OSB_HASH_MISMATCH', `the image differs from its block map between bytes ${start} and ${end}`, { hint: 'it was damaged on its way: take it again, or build it' });
}
