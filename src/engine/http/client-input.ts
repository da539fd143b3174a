import type { ClientConnection } from './client-connection.ts';
import { HttpClientError } from './client-error.ts';

/** Reads ahead of the parser: lines and exact counts out of chunks of any size. */
export interface ClientInput {
  /** The next bytes, at most `limit`; null at the end of the connection. */
  take(limit?: number): Promise<Uint8Array | null>;
  /** One line of ASCII without its line end; null when the connection ends before its first byte. */
  line(limitBytes: number): Promise<string | null>;
}

const lineFeed = 10;

export function createClientInput(connection: ClientConnection): ClientInput {
  let held: Uint8Array | null = null;

  async function fill(): Promise<boolean> {
    if (held && held.length > 0) return true;
    held = await connection.read();
    return held !== null;
  }

  return {
    async take(limit = Number.MAX_SAFE_INTEGER) {
      if (!(await fill()) || !held) return null;
      const part = held.length > limit ? held.subarray(0, limit) : held;
      held = held.length > limit ? held.subarray(limit) : null;
      return part;
    },
    async line(limitBytes) {
      let text = '';
      for (;;) {
        if (!(await fill()) || !held) {
          if (text === '') return null;
          throw new HttpClientError('closed', 'the connection ended in the middle of an answer');
        }
        const end = held.indexOf(lineFeed);
        const part = held.subarray(0, end < 0 ? held.length : end);
        if (text.length + part.length > limitBytes) throw new HttpClientError('too-large', `a header line is longer than ${limitBytes} bytes`);
        text += String.fromCharCode(...part);
        held = held.subarray(end < 0 ? held.length : end + 1);
        if (end >= 0) return text.endsWith('\r') ? text.slice(0, -1) : text;
      }
    },
  };
}
