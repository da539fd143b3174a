import { closeSync, openSync, readSync } from 'node:fs';
import { blockBytes, paddingBytes, type TarEntry } from './entry.ts';
import { applyExtension, makeEntry, parseHeader, type Extensions } from './header.ts';

/** A member of a streamed archive; what of its data is left unread is skipped. */
export interface TarMember {
  entry: TarEntry;
  /** The data in pieces as they arrive. To be read before the next member is asked for. */
  data(): AsyncGenerator<Buffer>;
}

/** A member of an archive on disk: its data stands at `offset`. */
export interface IndexedEntry extends TarEntry {
  offset: number;
}

/** Extension headers are small; a larger one is an attack or damage. */
const extensionLimitBytes = 1 << 20;

/** Reads an archive from a stream, in constant memory. */
export async function* readTar(stream: AsyncIterable<Buffer | string>): AsyncGenerator<TarMember> {
  const source = byteSource(stream);
  let extensions: Extensions = {};
  for (;;) {
    const block = await source.take(blockBytes);
    if (block === null) throw new Error('tar archive ends in the middle');
    if (block.every((byte) => byte === 0)) break;
    const raw = parseHeader(block);
    if (/[xgLK]/.test(raw.flag)) {
      if (raw.sizeBytes > extensionLimitBytes) throw new Error('tar extension header too large');
      const data = await source.take(raw.sizeBytes + paddingBytes(raw.sizeBytes));
      if (data === null) throw new Error('tar archive ends in the middle');
      applyExtension(raw.flag, data.subarray(0, raw.sizeBytes), extensions);
      continue;
    }
    const entry = makeEntry(raw, extensions);
    extensions = {};
    let left = entry.sizeBytes;
    yield {
      entry,
      async *data() {
        while (left > 0) {
          const piece = await source.some(left);
          if (piece === null) throw new Error('tar archive ends in the middle');
          left -= piece.length;
          yield piece;
        }
      },
    };
    for (let rest = left + paddingBytes(entry.sizeBytes); rest > 0; ) {
      const piece = await source.some(rest);
      if (piece === null) throw new Error('tar archive ends in the middle');
      rest -= piece.length;
    }
  }
  // The writer must be let finish: a pipe closed early is an error of the program at its other end.
  while ((await source.some(1 << 20)) !== null);
}

/** Lists an archive on disk without reading its data. */
export function indexTar(file: string): IndexedEntry[] {
  const entries: IndexedEntry[] = [];
  const descriptor = openSync(file, 'r');
  try {
    const block = Buffer.alloc(blockBytes);
    let extensions: Extensions = {};
    for (let position = 0; ; ) {
      if (readSync(descriptor, block, 0, blockBytes, position) !== blockBytes) throw new Error(`${file}: tar archive ends in the middle`);
      position += blockBytes;
      if (block.every((byte) => byte === 0)) return entries;
      const raw = parseHeader(block);
      if (/[xgLK]/.test(raw.flag)) {
        if (raw.sizeBytes > extensionLimitBytes) throw new Error('tar extension header too large');
        const data = Buffer.alloc(raw.sizeBytes);
        readSync(descriptor, data, 0, data.length, position);
        applyExtension(raw.flag, data, extensions);
        position += data.length + paddingBytes(data.length);
        continue;
      }
      const entry = makeEntry(raw, extensions);
      extensions = {};
      entries.push({ ...entry, offset: position });
      position += entry.sizeBytes + paddingBytes(entry.sizeBytes);
    }
  } finally {
    closeSync(descriptor);
  }
}

function byteSource(stream: AsyncIterable<Buffer | string>): {
  take(length: number): Promise<Buffer | null>;
  some(limit: number): Promise<Buffer | null>;
} {
  const iterator = stream[Symbol.asyncIterator]();
  let buffered: Buffer = Buffer.alloc(0);
  const more = async (): Promise<Buffer | null> => {
    const next = await iterator.next();
    if (next.done === true) return null;
    return typeof next.value === 'string' ? Buffer.from(next.value, 'latin1') : next.value;
  };
  return {
    async take(length) {
      while (buffered.length < length) {
        const piece = await more();
        if (piece === null) return null;
        buffered = buffered.length === 0 ? piece : Buffer.concat([buffered, piece]);
      }
      const taken = buffered.subarray(0, length);
      buffered = buffered.subarray(length);
      return taken;
    },
    async some(limit) {
      while (buffered.length === 0) {
        const piece = await more();
        if (piece === null) return null;
        buffered = piece;
      }
      const taken = buffered.subarray(0, limit);
      buffered = buffered.subarray(taken.length);
      return taken;
    },
  };
}
