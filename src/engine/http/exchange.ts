import { encode } from 'host:bytes';
import type { ByteSink, ByteSource, Cancellation, CancellationSource, Chunk, Connection } from '../ports/index.ts';
import type { Body } from './body.ts';
import type { Input } from './input.ts';
import { formatResponseHead, hasNoBody, type Headers } from './response-head.ts';
import { webSocketStream } from './websocket.ts';
import { headerHas, type RequestHead } from './request-head.ts';

export interface ResponseStream extends ByteSink {
  end(): Promise<void>;
}

/** A connection that has left HTTP: what attach and exec speak. */
export interface Hijacked extends ByteSource, ByteSink {
  shutdown(): Promise<void>;
  close(): void;
}

/** One request and the answer to it. Exactly one of respond, stream and hijack is used. */
export interface Exchange {
  readonly head: RequestHead;
  readonly body: Body;
  /** Cancelled when the client has gone. */
  readonly gone: Cancellation;
  /** Once the body has been read: notices the client's going although nothing is written to it. */
  watchClient(): void;
  /** True once a status line has been sent. */
  readonly answered: boolean;
  respond(status: number, headers: Headers, content: Uint8Array | string): Promise<void>;
  /** Sends the head at once and the rest as it comes. */
  stream(status: number, headers: Headers): Promise<ResponseStream>;
  hijack(contentType: string): Promise<Hijacked>;
  /** The same for a WebSocket, whose answer has these fields; its bytes go in frames of type binary or text. */
  hijackWebSocket(fields: Headers, binary: boolean): Promise<Hijacked>;
}

export interface ExchangeState {
  exchange: Exchange;
  /** What the connection may do after the handler has returned. */
  outcome(): 'unanswered' | 'open-stream' | 'complete' | 'hijacked';
}

export function createExchange(
  connection: Connection,
  input: Input,
  head: RequestHead,
  body: Body,
  gone: CancellationSource,
  common: Headers,
  close: boolean,
): ExchangeState {
  let outcome: ReturnType<ExchangeState['outcome']> = 'unanswered';
  const claim = (next: typeof outcome): void => {
    if (outcome !== 'unanswered') throw new Error(`second answer to ${head.method} ${head.path}`);
    outcome = next;
  };
  const closing: Headers = close ? { Connection: 'close' } : {};

  const exchange: Exchange = {
    head,
    body,
    gone,
    watchClient() {
      if (body.finished) input.watchEnd(() => gone.cancel());
    },
    get answered() {
      return outcome !== 'unanswered';
    },
    async respond(status, headers, content) {
      claim('complete');
      const bytes = typeof content === 'string' ? encode(content) : content;
      const length: Headers = hasNoBody(status) ? {} : { 'Content-Length': String(bytes.length) };
      const fields = formatResponseHead(status, { ...common, ...headers, ...length, ...closing });
      await connection.write(head.method === 'HEAD' || hasNoBody(status) || bytes.length === 0 ? fields : [fields, bytes]);
    },
    async stream(status, headers) {
      claim('open-stream');
      const chunked = head.minorVersion === 1;
      const framing: Headers = chunked ? { 'Transfer-Encoding': 'chunked' } : { Connection: 'close' };
      await connection.write(formatResponseHead(status, { ...common, ...headers, ...closing, ...framing }));
      return {
        async write(data) {
          if (head.method === 'HEAD') return;
          const parts = flatten(data);
          const sizeBytes = parts.reduce((sum, part) => sum + part.length, 0);
          if (sizeBytes === 0) return;
          await connection.write(chunked ? [`${sizeBytes.toString(16)}\r\n`, ...parts, '\r\n'] : parts);
        },
        async end() {
          if (outcome !== 'open-stream') return;
          if (chunked && head.method !== 'HEAD') await connection.write('0\r\n\r\n');
          outcome = 'complete';
        },
      };
    },
    async hijack(contentType) {
      claim('hijacked');
      const upgrade = headerHas(head, 'connection', 'upgrade') && head.headers.has('upgrade');
      await connection.write(
        upgrade
          ? formatResponseHead(101, { 'Content-Type': contentType, Connection: 'Upgrade', Upgrade: 'tcp', ...common })
          : formatResponseHead(200, { 'Content-Type': contentType, ...common }),
      );
      return {
        read: () => input.read(),
        write: (data) => connection.write(data),
        shutdown: () => connection.shutdown(),
        close: () => connection.close(),
      };
    },
    async hijackWebSocket(fields, binary) {
      claim('hijacked');
      await connection.write(formatResponseHead(101, { ...fields, ...common }));
      return webSocketStream(input, connection, binary);
    },
  };
  return { exchange, outcome: () => outcome };
}

function flatten(data: Chunk): Uint8Array[] {
  if (typeof data === 'string') return [encode(data)];
  if (data instanceof Uint8Array) return [data];
  return data.map((part) => (typeof part === 'string' ? encode(part) : part));
}
