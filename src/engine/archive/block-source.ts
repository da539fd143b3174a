import { concat } from 'host:bytes';
import type { ByteSource } from '../ports/index.ts';

/** Exact reads from a source that gives pieces of any size. */
export interface BlockSource {
  /** Exactly `count` bytes; null when the source ended before the first of them. Throws TarError when it ends among them. */
  exactly(count: number): Promise<Uint8Array | null>;
  /** Between 1 and `maxBytes` bytes, without waiting for more than the next piece; null at the end. */
  some(maxBytes: number): Promise<Uint8Array | null>;
}

export class TarError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TarError';
  }
}

export function createBlockSource(source: ByteSource): BlockSource {
  let kept: Uint8Array | null = null;
  const take = (bytes: Uint8Array, count: number): Uint8Array => {
    kept = count < bytes.length ? bytes.subarray(count) : null;
    return count < bytes.length ? bytes.subarray(0, count) : bytes;
  };
  return {
    async exactly(count) {
      if (kept !== null && kept.length >= count) return take(kept, count);
      const parts: Uint8Array[] = kept === null ? [] : [kept];
      let have = kept?.length ?? 0;
      kept = null;
      while (have < count) {
        const piece = await source.read();
        if (piece === null) {
          if (have === 0) return null;
          throw new TarError('archive is cut short');
        }
        parts.push(piece);
        have += piece.length;
      }
      return take(parts.length === 1 && parts[0] !== undefined ? parts[0] : concat(parts), count);
    },
    async some(maxBytes) {
      const bytes = kept ?? (await source.read());
      return bytes === null ? null : take(bytes, Math.min(maxBytes, bytes.length));
    },
  };
}
