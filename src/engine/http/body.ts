import { concat, text } from 'host:bytes';
import type { ByteSource } from '../ports/index.ts';
import { trimBlanks } from './blanks.ts';
import { HttpError } from './http-error.ts';
import type { Input } from './input.ts';
import type { BodyFraming } from './request-head.ts';

export interface Body extends ByteSource {
  /** True once the last byte has been handed out: the connection stands at the next request. */
  readonly finished: boolean;
}

const CHUNK_LINE_LIMIT = 4096;
const TRAILER_LIMIT = 16 * 1024;

export function readBody(input: Input, framing: BodyFraming): Body {
  if (framing.kind === 'chunked') return chunkedBody(input);
  return sizedBody(input, framing.kind === 'none' ? 0 : framing.lengthBytes);
}

function sizedBody(input: Input, lengthBytes: number): Body {
  let left = lengthBytes;
  return {
    get finished() {
      return left === 0;
    },
    async read() {
      if (left === 0) return null;
      const part = await input.readSome(left);
      if (part === null) throw new HttpError(400, 'connection ended inside the body');
      left -= part.length;
      return part;
    },
  };
}

function chunkedBody(input: Input): Body {
  let left = 0;
  let first = true;
  let finished = false;

  const nextChunk = async (): Promise<void> => {
    if (!first) await line(input, 2, 'malformed chunk end');
    first = false;
    const size = await line(input, CHUNK_LINE_LIMIT, 'malformed chunk size');
    const digits = trimBlanks(size.split(';')[0] ?? '');
    if (!/^[0-9a-fA-F]{1,12}$/.test(digits)) throw new HttpError(400, 'malformed chunk size');
    left = Number.parseInt(digits, 16);
    if (left > 0) return;
    let trailerBytes = 0;
    for (;;) {
      const trailer = await line(input, TRAILER_LIMIT, 'trailers too large');
      trailerBytes += trailer.length;
      if (trailer === '') break;
      if (trailerBytes > TRAILER_LIMIT) throw new HttpError(400, 'trailers too large');
    }
    finished = true;
  };

  return {
    get finished() {
      return finished;
    },
    async read() {
      if (finished) return null;
      if (left === 0) await nextChunk();
      if (finished) return null;
      const part = await input.readSome(left);
      if (part === null) throw new HttpError(400, 'connection ended inside the body');
      left -= part.length;
      return part;
    },
  };
}

/** A line without its CRLF. */
async function line(input: Input, limitBytes: number, complaint: string): Promise<string> {
  const bytes = await input.readThrough('\r\n', limitBytes, () => new HttpError(400, complaint));
  if (bytes === null) throw new HttpError(400, 'connection ended inside the body');
  const content = text(bytes, 0, bytes.length - 2);
  if (limitBytes === 2 && content !== '') throw new HttpError(400, complaint);
  return content;
}

/** All of a body, for JSON and the like. */
export async function collect(source: ByteSource, limitBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for (;;) {
    const part = await source.read();
    if (part === null) return concat(parts);
    sizeBytes += part.length;
    if (sizeBytes > limitBytes) throw new HttpError(413, `request body larger than ${limitBytes} bytes`);
    parts.push(part);
  }
}
