import { concat, find } from 'host:bytes';
import type { ByteSource } from '../ports/index.ts';
import { HttpError } from './http-error.ts';

/** A connection's incoming side, with what was read too far kept for the next reader. */
export interface Input extends ByteSource {
  /** Bytes up to and including `mark`; null when the stream ends before its first byte. */
  readThrough(mark: string, limitBytes: number, tooLong: () => HttpError): Promise<Uint8Array | null>;
  /** At most `maxBytes`; null at the end. */
  readSome(maxBytes: number): Promise<Uint8Array | null>;
  /** Reads ahead while an answer is made, to notice the client's going; what arrives is kept for the next reader. */
  watchEnd(onEnd: () => void): void;
}

export function createInput(source: ByteSource): Input {
  let kept: Uint8Array | null = null;

  const take = (count: number): Uint8Array => {
    if (kept === null) throw new Error('nothing kept');
    const head = kept.subarray(0, count);
    kept = count < kept.length ? kept.subarray(count) : null;
    return head;
  };
  let ahead: Promise<Uint8Array | null> | undefined;
  const pull = (): Promise<Uint8Array | null> => {
    if (ahead === undefined) return source.read();
    const chunk = ahead;
    ahead = undefined;
    return chunk;
  };
  const more = async (): Promise<boolean> => {
    const chunk = await pull();
    if (chunk === null) return false;
    kept = kept === null ? chunk : concat([kept, chunk]);
    return true;
  };

  return {
    async read() {
      if (kept === null) return pull();
      return take(kept.length);
    },
    watchEnd(onEnd) {
      if (kept !== null || ahead !== undefined) return;
      ahead = source.read();
      void notice(ahead, onEnd);
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

async function notice(reading: Promise<Uint8Array | null>, onEnd: () => void): Promise<void> {
  try {
    if ((await reading) === null) onEnd();
  } catch {
    onEnd();
  }
}
