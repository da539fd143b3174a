import { concat, find } from 'host:bytes';
import type { ByteSource } from '../ports/index.ts';
import { HttpError } from './http-error.ts';

/** A connection's incoming side, with what was read too far kept for the next reader. */
export interface Input extends ByteSource {
  /** Bytes up to and including `mark`; null when the stream ends before its first byte. */
  readThrough(mark: string, limitBytes: number, tooLong: () => HttpError): Promise<Uint8Array | null>;
  /** At most `maxBytes`; null at the end. */
  readSome(maxBytes: number): Promise<Uint8Array | null>;
}

export function createInput(source: ByteSource): Input {
  let kept: Uint8Array | null = null;

  const take = (count: number): Uint8Array => {
    if (kept === null) throw new Error('nothing kept');
    const head = kept.subarray(0, count);
    kept = count < kept.length ? kept.subarray(count) : null;
    return head;
  };
  const more = async (): Promise<boolean> => {
    const chunk = await source.read();
    if (chunk === null) return false;
    kept = kept === null ? chunk : concat([kept, chunk]);
    return true;
  };

  return {
    async read() {
      if (kept === null) return source.read();
      return take(kept.length);
    },
    async readSome(maxBytes) {
      if (kept === null && !(await more())) return null;
      return kept === null ? null : take(Math.min(maxBytes, (kept as Uint8Array).length));
    },
    async readThrough(mark, limitBytes, tooLong) {
      let from = 0;
      for (;;) {
        if (kept !== null) {
          const held: Uint8Array = kept;
          const at = find(held, mark, from);
          if (at >= 0 && at + mark.length <= limitBytes) return take(at + mark.length);
          if (at >= 0 || held.length >= limitBytes) throw tooLong();
          from = Math.max(0, held.length - mark.length + 1);
        }
        if (!(await more())) {
          if (kept === null) return null;
          throw new HttpError(400, 'connection ended inside a message');
        }
      }
    },
  };
}
