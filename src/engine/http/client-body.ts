import type { PullSource } from './client-connection.ts';
import { HttpClientError } from './client-error.ts';
import type { ClientInput } from './client-input.ts';
import type { ResponseHead } from './client-response.ts';

/** The body of an answer; `onEnd` tells whether the connection may carry another request. */
export function responseBody(method: string, head: ResponseHead, input: ClientInput, onEnd: (reusable: boolean) => void): PullSource {
  const source = framing(method, head, input);
  let ended = false;
  const finish = (reusable: boolean) => {
    if (!ended) onEnd(reusable);
    ended = true;
  };
  return {
    async read() {
      if (ended) return null;
      try {
        const part = await source.read();
        if (part === null) finish(source.delimited && head.keepAlive);
        return part;
      } catch (error) {
        finish(false);
        throw error;
      }
    },
  };
}

interface FramedSource extends PullSource {
  /** The end is marked by more than the end of the connection. */
  readonly delimited: boolean;
}

function framing(method: string, head: ResponseHead, input: ClientInput): FramedSource {
  if (method === 'HEAD' || head.status === 204 || head.status === 304) return { delimited: true, read: async () => null };
  if (head.headers.get('transfer-encoding')?.toLowerCase().includes('chunked')) return chunked(input);
  const length = head.headers.get('content-length');
  if (length === undefined) return { delimited: false, read: () => input.take() };
  if (!/^\d+$/.test(length)) throw new HttpClientError('malformed', `malformed Content-Length "${length}"`);
  return counted(input, Number(length));
}

function counted(input: ClientInput, sizeBytes: number): FramedSource {
  let left = sizeBytes;
  return {
    delimited: true,
    async read() {
      if (left === 0) return null;
      const part = await input.take(left);
      if (!part) throw new HttpClientError('closed', `the connection ended ${left} bytes before the end of an answer`);
      left -= part.length;
      return part;
    },
  };
}

function chunked(input: ClientInput): FramedSource {
  let left = 0;
  let first = true;
  let done = false;
  const line = async () => {
    const text = await input.line(8192);
    if (text === null) throw new HttpClientError('closed', 'the connection ended in the middle of an answer');
    return text;
  };
  return {
    delimited: true,
    async read() {
      if (done) return null;
      if (left === 0) {
        if (!first && (await line()) !== '') throw new HttpClientError('malformed', 'malformed chunk');
        first = false;
        const size = /^([\da-fA-F]{1,12})\s*(;.*)?$/.exec(await line());
        if (!size) throw new HttpClientError('malformed', 'malformed chunk size');
        left = Number.parseInt(size[1] ?? '', 16);
        if (left === 0) {
          while ((await line()) !== '') { /* trailers are not used */ }
          done = true;
          return null;
        }
      }
      const part = await input.take(left);
      if (!part) throw new HttpClientError('closed', 'the connection ended in the middle of an answer');
      left -= part.length;
      return part;
    },
  };
}
