// Purpose: HTTP/1.1 from the client's side, over any byte stream.
// Owns: requests with bodies of known or unknown length, answers, kept connections, connections that leave HTTP.
// Must not: know Docker's API, or how a connection is made.

import { responseBody } from './client-body.ts';
import type { ClientConnection, PullSource, TextCodec } from './client-connection.ts';
import { HttpClientError } from './client-error.ts';
import { createClientInput, type ClientInput } from './client-input.ts';
import { readResponseHead, type ResponseHead } from './client-response.ts';

export type { ClientConnection, PullSource, TextCodec } from './client-connection.ts';
export { HttpClientError } from './client-error.ts';
export { jsonLines, textLines } from './client-json-lines.ts';

export interface HttpRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes and text go with their length, a source goes in chunks. */
  readonly body?: Uint8Array | string | PullSource;
}

export interface HttpAnswer {
  readonly status: number;
  readonly reason: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: PullSource;
  /** The whole body as text. */
  text(): Promise<string>;
  /** Gives the answer up; its connection is closed. */
  close(): void;
}

/** A connection that has left HTTP: bytes both ways. */
export interface HijackedConnection extends ClientConnection {
  readonly contentType: string;
}

export interface HttpClient {
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** Asks the server to hand the connection over; an answer that refuses comes back as it is. */
  hijack(request: HttpRequest): Promise<{ readonly kind: 'hijacked'; readonly connection: HijackedConnection } | { readonly kind: 'refused'; readonly answer: HttpAnswer }>;
  close(): void;
}

export interface HttpClientOptions {
  /** Makes a connection; its errors pass through. */
  readonly dial: () => Promise<ClientConnection>;
  readonly codec: TextCodec;
  /** Value of the Host header. */
  readonly host: string;
  readonly userAgent: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function peerGone(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && (error.code === 'EPIPE' || error.code === 'ECONNRESET');
}

interface Line {
  readonly connection: ClientConnection;
  readonly input: ClientInput;
}

export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { codec } = options;
  const idle: Line[] = [];

  async function open(): Promise<Line> {
    const connection = await options.dial();
    return { connection, input: createClientInput(connection) };
  }

  function headText(request: HttpRequest, extra: Readonly<Record<string, string>>): string {
    const headers: Record<string, string> = { Host: options.host, 'User-Agent': options.userAgent, ...options.headers, ...request.headers, ...extra };
    if (request.body === undefined) {
      if (request.method !== 'GET' && request.method !== 'HEAD') headers['Content-Length'] = '0';
    } else if (typeof request.body === 'object' && 'read' in request.body) {
      headers['Transfer-Encoding'] = 'chunked';
    }
    const lines = Object.entries(headers).map(([name, value]) => {
      if (/[\r\n]/.test(value)) throw new HttpClientError('malformed', `header ${name} holds a line end`);
      return `${name}: ${value}\r\n`;
    });
    return `${request.method} ${request.target} HTTP/1.1\r\n${lines.join('')}`;
  }

  async function writeRequest(line: Line, request: HttpRequest, extra: Readonly<Record<string, string>>): Promise<void> {
    const head = headText(request, extra);
    const { body } = request;
    if (body === undefined) return line.connection.write(`${head}\r\n`);
    if (typeof body === 'string' || body instanceof Uint8Array) {
      const bytes = typeof body === 'string' ? codec.encode(body) : body;
      return line.connection.write([`${head}Content-Length: ${bytes.length}\r\n\r\n`, bytes]);
    }
    await line.connection.write(`${head}\r\n`);
    for (let part = await body.read(); part !== null; part = await body.read()) {
      await line.connection.write([`${part.length.toString(16)}\r\n`, part, '\r\n']);
    }
    await line.connection.write('0\r\n\r\n');
  }

  /** A server may answer (with an error) before it has read the whole body: then writing fails or never ends, and the answer counts. */
  async function converse(line: Line, request: HttpRequest, extra: Readonly<Record<string, string>>): Promise<ResponseHead> {
    let bodyComplete = false;
    let writeError: unknown;
    const write = async (): Promise<void> => {
      try {
        await writeRequest(line, request, extra);
        bodyComplete = true;
      } catch (error) {
        writeError = error;
      }
    };
    const reading = readResponseHead(line.input);
    const failed = write().then(() => {
      if (writeError === undefined) return reading;
      // A body that cannot be read will never be complete; only a peer that stopped listening may still have answered.
      if (!peerGone(writeError)) throw writeError;
      return reading.catch(() => null);
    });
    const head = await Promise.race([reading, failed]);
    if (!head) {
      if (writeError !== undefined) throw writeError;
      throw new HttpClientError('closed', 'the server closed the connection without an answer');
    }
    return bodyComplete ? head : { ...head, keepAlive: false };
  }

  async function exchange(request: HttpRequest, extra: Readonly<Record<string, string>>): Promise<{ line: Line; head: ResponseHead }> {
    // The server may have closed a kept connection meanwhile, so that only requests which may be sent twice go there.
    const kept = request.method === 'GET' || request.method === 'HEAD' ? idle.pop() : undefined;
    if (kept) {
      try {
        return { line: kept, head: await converse(kept, request, extra) };
      } catch {
        kept.connection.close();
      }
    }
    const line = await open();
    try {
      return { line, head: await converse(line, request, extra) };
    } catch (error) {
      line.connection.close();
      throw error;
    }
  }

  function answerOf(request: HttpRequest, line: Line, head: ResponseHead): HttpAnswer {
    const body = responseBody(request.method, head, line.input, (reusable) => {
      if (reusable && idle.length === 0) idle.push(line);
      else line.connection.close();
    });
    return {
      status: head.status,
      reason: head.reason,
      headers: head.headers,
      body,
      close: () => line.connection.close(),
      text: async () => {
        const parts: Uint8Array[] = [];
        for (let part = await body.read(); part !== null; part = await body.read()) parts.push(part.slice());
        const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
        let offset = 0;
        for (const part of parts) {
          whole.set(part, offset);
          offset += part.length;
        }
        return codec.decode(whole);
      },
    };
  }

  return {
    async send(request) {
      const { line, head } = await exchange(request, {});
      return answerOf(request, line, head);
    },
    async hijack(request) {
      const { line, head } = await exchange(request, { Connection: 'Upgrade', Upgrade: 'tcp' });
      const contentType = head.headers.get('content-type') ?? '';
      const streamed = head.status === 101 || (head.status === 200 && contentType.startsWith('application/vnd.docker.'));
      if (!streamed) return { kind: 'refused', answer: answerOf(request, line, head) };
      const connection: HijackedConnection = {
        contentType,
        read: () => line.input.take(),
        write: (data) => line.connection.write(data),
        shutdown: () => line.connection.shutdown(),
        close: () => line.connection.close(),
      };
      return { kind: 'hijacked', connection };
    },
    close() {
      for (const line of idle.splice(0)) line.connection.close();
    },
  };
}
