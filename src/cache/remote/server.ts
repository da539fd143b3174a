import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { basicAuthorization, type HttpClient } from '../../http/index.ts';
import type { BlobInfo } from '../blobs.ts';

export interface RemoteAddress {
  /** http(s), with a path prefix if the server wants one; user and password in it are sent as Basic authentication. */
  url: string;
  /** Sent as a Bearer token. */
  token?: string;
}

/** A server that keeps blobs by their SHA-256 and results by task key, as bazel-remote does: /cas/<sha256>, /ac/<key>. */
export interface RemoteServer {
  /** For messages: the address without credentials. */
  readonly name: string;
  /** The stored result's text, or null. */
  result(key: string, signal: AbortSignal): Promise<string | null>;
  putResult(key: string, text: string, signal: AbortSignal): Promise<void>;
  has(sha256: string, signal: AbortSignal): Promise<boolean>;
  /** Loads a blob into a new file, checked; false when the server does not have it. */
  load(blob: BlobInfo, file: string, signal: AbortSignal): Promise<boolean>;
  store(blob: BlobInfo, file: string, signal: AbortSignal): Promise<void>;
}

/** The server answered with what cannot be used. */
export class RemoteError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const resultLimitBytes = 4 << 20;

export function remoteServer(address: RemoteAddress, client: HttpClient): RemoteServer {
  const url = new URL(address.url);
  const authorization = credentials(url, address.token);
  url.username = '';
  url.password = '';
  const name = url.href.replace(/\/+$/, '');
  const headers = { ...(authorization === null ? {} : { Authorization: authorization }) };

  const put = async (path: string, body: { content: Buffer | ReturnType<typeof createReadStream>; sizeBytes: number }, type: string, signal: AbortSignal): Promise<void> => {
    const response = await client.request(`${name}/${path}`, { method: 'PUT', headers: { ...headers, 'Content-Type': type }, body, signal });
    await finish(response);
    if (status(response) < 200 || status(response) > 299) throw refusal(response, `PUT /${path}`);
  };

  return {
    name,
    async result(key, signal) {
      const response = await client.request(`${name}/ac/${key}`, { headers: { ...headers, Accept: 'application/json' }, signal });
      if (!found(response, `GET /ac/${key}`)) return null;
      const parts: Buffer[] = [];
      let sizeBytes = 0;
      for await (const part of response as AsyncIterable<Buffer>) {
        sizeBytes += part.length;
        if (sizeBytes > resultLimitBytes) throw new RemoteError(0, `the result ${key} is larger than ${resultLimitBytes} bytes`);
        parts.push(part);
      }
      return Buffer.concat(parts).toString('utf8');
    },
    putResult: async (key, text, signal) => {
      const content = Buffer.from(text);
      await put(`ac/${key}`, { content, sizeBytes: content.length }, 'application/json', signal);
    },
    async has(sha256, signal) {
      const response = await client.request(`${name}/cas/${sha256}`, { method: 'HEAD', headers, signal });
      const there = found(response, `HEAD /cas/${sha256}`);
      response.resume();
      return there;
    },
    async load({ sha256, sizeBytes }, file, signal) {
      const response = await client.request(`${name}/cas/${sha256}`, { headers, signal });
      if (!found(response, `GET /cas/${sha256}`)) return false;
      const hash = createHash('sha256');
      let received = 0;
      const check = new Transform({
        transform(part: Buffer, _, done) {
          received += part.length;
          hash.update(part);
          done(received > sizeBytes ? new RemoteError(0, `the server sends more than the ${sizeBytes} bytes of ${sha256}`) : null, part);
        },
      });
      await pipeline(response, check, createWriteStream(file, { flags: 'wx' }), { signal });
      if (received !== sizeBytes || hash.digest('hex') !== sha256) throw new RemoteError(0, `the server sent something else as ${sha256}`);
      return true;
    },
    store: async ({ sha256, sizeBytes }, file, signal) => {
      // An empty body is sent as such: some servers wait for one that was announced by a stream.
      const content = sizeBytes === 0 ? Buffer.alloc(0) : createReadStream(file);
      await put(`cas/${sha256}`, { content, sizeBytes }, 'application/octet-stream', signal);
    },
  };
}

function credentials(url: URL, token: string | undefined): string | null {
  if (token !== undefined) return `Bearer ${token}`;
  return url.username === '' ? null : basicAuthorization(url);
}

const status = (response: IncomingMessage): number => response.statusCode ?? 0;

/** True for 200, false for 404; anything else is an error, and its body is dropped. */
function found(response: IncomingMessage, what: string): boolean {
  if (status(response) === 200) return true;
  response.resume();
  if (status(response) === 404) return false;
  throw refusal(response, what);
}

const meanings: Record<number, string> = {
  401: 'the server wants other credentials',
  403: 'the server does not allow it',
  405: 'the server takes no writes',
  413: 'the server takes no files of this size',
  507: 'the server is full',
};

function refusal(response: IncomingMessage, what: string): RemoteError {
  const code = status(response);
  const meaning = meanings[code];
  return new RemoteError(code, `${what} was answered with ${code}${meaning === undefined ? '' : ` (${meaning})`}`);
}

async function finish(response: IncomingMessage): Promise<void> {
  for await (const part of response) void part;
}
