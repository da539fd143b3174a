import { closeSync, createWriteStream, openSync, readSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { tarEntries } from './tar-index.ts';

const pieceBytes = 64 * 1024;

/**
 * What is needed besides the files themselves to make an archive again, byte by byte: all of it but the contents of files, and between that which file's content
 * stands there. The engine keeps the same of every layer (src/engine/images/tar-record.ts); a device that was flashed has its layers' files in its slot.
 * @returns the archive's length
 */
export async function writeLayerRecord(archive: string, record: string): Promise<number> {
  const { size } = await stat(archive);
  const fd = openSync(archive, 'r');
  try {
    await pipeline(Readable.from(segments(fd, size, tarEntries(fd))), createWriteStream(record));
  } finally {
    closeSync(fd);
  }
  return size;
}

function* segments(fd: number, sizeBytes: number, entries: ReturnType<typeof tarEntries>): Generator<Buffer> {
  let position = 0;
  for (const { type, path, offset, sizeBytes: length } of entries) {
    if (type !== 'file') continue;
    yield* bytes(fd, position, offset);
    const content = Buffer.from(JSON.stringify([path, length]));
    yield Buffer.concat([head('f', content.length), content]);
    position = offset + length;
  }
  yield* bytes(fd, position, sizeBytes);
  yield head('e', 0);
}

function* bytes(fd: number, from: number, to: number): Generator<Buffer> {
  for (let at = from; at < to; at += pieceBytes) {
    const piece = Buffer.alloc(Math.min(pieceBytes, to - at));
    if (readSync(fd, piece, 0, piece.length, at) < piece.length) throw new Error(`tar: cut off at byte ${at}`);
    yield head('r', piece.length);
    yield piece;
  }
}

const head = (kind: string, length: number): Buffer => Buffer.from(kind + length.toString(16).padStart(8, '0'), 'latin1');
