import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import { OsbuildError } from '../model/index.ts';
import type { OpenDisk } from './disk.ts';

const bufferBytes = 1024 * 1024;

/**
 * Opens a disk of this host, exclusively, so that the kernel refuses what is mounted. Throws OSB_DISK_REFUSED.
 * @param device a block device, or a file in tests
 * @param dropCache drops the host's cache of the device
 */
export async function openLocalDisk(device: string, sizeBytes: number, dropCache: () => Promise<void>): Promise<OpenDisk> {
  const file = await openExclusively(device);
  let kept = false;
  return {
    name: device,
    sizeBytes,
    write: (bytes, position) => write(file, bytes, position, device),
    blank: (position, length) => write(file, Buffer.alloc(length), position, device),
    settle: () => file.datasync(),
    sync: () => file.sync(),
    dropCache,
    digest: (start, end, progress) => digest(file, start, end, progress, device),
    async keep() {
      kept = true;
    },
    async close(headBytes) {
      if (!kept) await file.write(Buffer.alloc(headBytes), 0, Math.min(headBytes, sizeBytes), 0).then(() => file.sync()).catch(() => undefined);
      await file.close();
    },
  };
}

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

async function digest(file: FileHandle, start: number, end: number, progress: (bytes: number) => void, device: string): Promise<string> {
  const buffer = Buffer.alloc(bufferBytes);
  const hash = createHash('sha256');
  for (let position = start; position < end; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - position), position).catch((cause: Error) => {
      throw new OsbuildError('OSB_FLASH_FAILED', `${device} cannot be read back at byte ${position}: ${cause.message}`, { hint: 'the medium is worn out, or not as large as it says', cause });
    });
    if (bytesRead === 0) throw new OsbuildError('OSB_FLASH_FAILED', `${device} ends at byte ${position}`, { hint: 'the medium is not as large as it says' });
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
    progress(bytesRead);
  }
  return hash.digest('hex');
}

async function write(file: FileHandle, bytes: Uint8Array, position: number, device: string): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, offset, bytes.length - offset, position + offset).catch((cause: Error) => {
      throw new OsbuildError('OSB_FLASH_FAILED', `${device} took no more at byte ${position + offset}: ${cause.message}`, { hint: 'was it pulled out? otherwise the medium is worn out; take another', cause });
    });
    offset += bytesWritten;
  }
}
