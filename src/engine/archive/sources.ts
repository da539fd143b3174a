import { concat } from 'host:bytes';
import { detect, gunzip, unzstd } from 'host:compress';
import { Sha256 } from 'host:crypto';
import type { ByteSource } from '../ports/index.ts';

/** A source whose first bytes have been looked at and given back. */
export async function peek(source: ByteSource, count: number): Promise<{ start: Uint8Array; source: ByteSource }> {
  const parts: Uint8Array[] = [];
  let have = 0;
  while (have < count) {
    const part = await source.read();
    if (part === null) break;
    parts.push(part);
    have += part.length;
  }
  const first = parts.length === 1 && parts[0] !== undefined ? parts[0] : concat(parts);
  let given = first.length === 0;
  return {
    start: first.subarray(0, count),
    source: {
      read() {
        if (given) return source.read();
        given = true;
        return Promise.resolve(first);
      },
    },
  };
}

/** Hashes what passes; `sizeBytes` is of all that has been read so far, `hex` of all, at the end. */
export interface HashedSource extends ByteSource {
  hex(): string;
  readonly sizeBytes: number;
}

/** Below, another thread costs more than it takes over. */
const WORTH_A_THREAD_BYTES = 8 * 1024;

/**
 * The hash of a piece is made while the next ones are read and used: it takes half of a pull's time where the processor has no instructions for it.
 * A source that hashes itself stays as it is.
 */
export function hashed(source: ByteSource | HashedSource): HashedSource {
  if ('hex' in source) return source;
  const hash = new Sha256();
  let sizeBytes = 0;
  let pending: Promise<void> | undefined;
  return {
    get sizeBytes() {
      return sizeBytes;
    },
    hex: () => hash.hex(),
    async read() {
      const part = await source.read();
      await pending;
      pending = undefined;
      if (part === null) return null;
      sizeBytes += part.length;
      if (part.length < WORTH_A_THREAD_BYTES) hash.update(part);
      else pending = hash.updateLater(part);
      return part;
    },
  };
}

export type Compression = 'none' | 'gzip' | 'zstd';

export interface DecompressedSource extends ByteSource {
  readonly compression: Compression;
  close(): void;
}

/** gzip or zstd by the first bytes; anything else passes as it is. Throws 'CORRUPT' or 'TRUNCATED' for damaged data. */
export async function decompressed(input: ByteSource): Promise<DecompressedSource> {
  const { start, source } = await peek(input, 4);
  const format = detect(start);
  if (format === null) return { compression: 'none', read: () => source.read(), close: () => undefined };
  const codec = format === 'gzip' ? gunzip() : unzstd();
  let finished = false;
  return {
    compression: format,
    async read() {
      for (;;) {
        const out = codec.pull();
        if (out !== null) return out;
        if (finished) return null;
        const part = await source.read();
        if (part === null) {
          codec.finish();
          finished = true;
        } else codec.push(part);
      }
    },
    close: () => codec.close(),
  };
}
