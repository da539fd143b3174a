import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { blockBytes, paddingBytes, type TarEntry } from './entry.ts';
import { formatHeader } from './header.ts';

const bufferBytes = 1 << 20;

/** Writes an archive to a file: members in the order given, closed by two empty blocks. */
export interface TarWriter {
  /** Header of the next member; its data (exactly `entry.sizeBytes`) must follow. */
  add(entry: TarEntry): Promise<void>;
  write(data: Buffer): Promise<void>;
  /** Data from a part of another file. */
  copy(from: FileHandle, offset: number, sizeBytes: number): Promise<void>;
  /** Ends the archive and returns its SHA-256, counted while it was written. */
  close(): Promise<string>;
  /** Gives up after a failure: closes the file as it is. */
  abort(): Promise<void>;
}

/** @param digests takes the SHA-256 of every member's data by path, of those that have any */
export async function writeTar(file: string, digests?: Map<string, string>): Promise<TarWriter> {
  const handle = await open(file, 'w');
  const buffer = Buffer.allocUnsafe(bufferBytes);
  const hash = createHash('sha256');
  let member: { path: string; hash: Hash } | null = null;
  let used = 0;
  let owed = 0;
  let padding = 0;
  const flush = async (): Promise<void> => {
    const written = writeAll(handle, buffer.subarray(0, used));
    hash.update(buffer.subarray(0, used)); // while the kernel takes the bytes
    await written;
    used = 0;
  };
  const append = async (data: Buffer): Promise<void> => {
    for (let offset = 0; offset < data.length; ) {
      const length = Math.min(data.length - offset, bufferBytes - used);
      data.copy(buffer, used, offset, offset + length);
      used += length;
      offset += length;
      if (used === bufferBytes) await flush();
    }
  };
  const paid = async (length: number): Promise<void> => {
    owed -= length;
    if (owed < 0) throw new Error('more data than the tar header announced');
    if (owed === 0 && member !== null) {
      digests?.set(member.path, member.hash.digest('hex'));
      member = null;
    }
    if (owed === 0 && padding > 0) {
      const zeros = Buffer.alloc(padding);
      padding = 0;
      await append(zeros);
    }
  };
  return {
    async add(entry) {
      if (owed !== 0) throw new Error(`data missing before ${entry.path}`);
      owed = entry.sizeBytes;
      padding = paddingBytes(entry.sizeBytes);
      member = digests !== undefined && owed > 0 ? { path: entry.path, hash: createHash('sha256') } : null;
      await append(formatHeader(entry));
    },
    async write(data) {
      await append(data);
      member?.hash.update(data);
      await paid(data.length);
    },
    async copy(from, offset, sizeBytes) {
      for (let done = 0; done < sizeBytes; ) {
        if (used === bufferBytes) await flush();
        const { bytesRead } = await from.read(buffer, used, Math.min(bufferBytes - used, sizeBytes - done), offset + done);
        if (bytesRead === 0) throw new Error('file ends before the data that was to be copied');
        member?.hash.update(buffer.subarray(used, used + bytesRead));
        used += bytesRead;
        done += bytesRead;
      }
      if (used === bufferBytes) await flush();
      await paid(sizeBytes);
    },
    async close() {
      if (owed !== 0) throw new Error('data of the last tar member missing');
      await append(Buffer.alloc(2 * blockBytes));
      await flush();
      await handle.close();
      return hash.digest('hex');
    },
    abort: () => handle.close(),
  };
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
}
