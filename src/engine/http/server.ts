import { text } from 'host:bytes';
import { messageOf, systemErrorCode } from '../error.ts';
import { createCancellation, type Clock, type Connection } from '../ports/index.ts';
import { readBody } from './body.ts';
import { createExchange, type Exchange } from './exchange.ts';
import { HttpError } from './http-error.ts';
import { createInput, type Input } from './input.ts';
import type { HttpLimits } from './limits.ts';
import { bodyFraming, headerHas, parseRequestHead, wantsClose, type RequestHead } from './request-head.ts';
import { formatResponseHead, type Headers } from './response-head.ts';

export interface HttpServerOptions {
  limits: HttpLimits;
  clock: Clock;
  /** Fields of every answer. */
  headers: Headers;
  /** Answers the request; may throw HttpError. Anything else that it throws is reported and answered with 500. */
  handle(exchange: Exchange): Promise<void>;
  onFault(error: unknown, request: string): void;
}

/** How much of an unread body is skipped to keep a connection; beyond that it is closed. */
const SKIP_LIMIT_BYTES = 256 * 1024;

/** Answers requests on one connection until it ends. Never rejects. */
export async function serveConnection(connection: Connection, options: HttpServerOptions): Promise<void> {
  const input = createInput(connection);
  const gone = createCancellation();
  let hijacked = false;
  try {
    for (;;) {
      const head = await readHead(connection, input, options);
      if (head === null) break;
      const framing = bodyFraming(head);
      const body = readBody(input, framing);
      if (framing.kind !== 'none' && headerHas(head, 'expect', '100-continue')) await connection.write('HTTP/1.1 100 Continue\r\n\r\n');
      const close = wantsClose(head);
      const { exchange, outcome } = createExchange(connection, input, head, body, gone, options.headers, close);
      // A client that ends its side while it waits for an answer has gone; on a hijacked connection it may just have no more input.
      if (framing.kind === 'none') {
        input.watchEnd(() => {
          if (outcome() !== 'hijacked') gone.cancel();
        });
      }
      await answer(exchange, options);
      const result = outcome();
      if (result === 'hijacked') {
        hijacked = true;
        return;
      }
      if (result !== 'complete') break;
      const ready = await skipRest(exchange);
      if (!ready) await linger(connection, input, options);
      if (close || !ready) break;
    }
  } catch (error) {
    if (error instanceof HttpError) {
      await refuse(connection, error, options);
      await linger(connection, input, options);
    }
  } finally {
    if (!hijacked) connection.close();
  }
}

async function answer(exchange: Exchange, options: HttpServerOptions): Promise<void> {
  const { method, path } = exchange.head;
  try {
    await options.handle(exchange);
    if (!exchange.answered) throw new Error('the handler gave no answer');
  } catch (error) {
    if (exchange.answered) {
      if (!exchange.gone.cancelled && !clientWent(error)) options.onFault(error, `${method} ${path}`);
      return;
    }
    const expected = error instanceof HttpError;
    // In the middle of a body the connection is not good for another request.
    if (expected && !exchange.body.finished) throw error;
    if (!expected) options.onFault(error, `${method} ${path}`);
    const status = expected ? error.status : 500;
    await exchange.respond(status, { 'Content-Type': 'application/json' }, `${JSON.stringify({ message: messageOf(error) })}\n`);
  }
}

function clientWent(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === 'EPIPE' || code === 'ECONNRESET' || code === 'ECANCELED';
}

async function readHead(connection: Connection, input: Input, options: HttpServerOptions): Promise<RequestHead | null> {
  const { limits, clock } = options;
  let late = false;
  const stop = clock.after(limits.idleTimeoutMs, () => connection.close());
  let first: Uint8Array | null;
  try {
    first = await input.readSome(1);
  } catch {
    return null;
  } finally {
    stop();
  }
  if (first === null) return null;
  const stopHead = clock.after(limits.headTimeoutMs, () => {
    late = true;
    connection.close();
  });
  try {
    const rest = await input.readThrough('\r\n\r\n', limits.headBytes, () => new HttpError(431, `request head larger than ${limits.headBytes} bytes`));
    if (rest === null) throw new HttpError(400, 'connection ended inside a message');
    return parseRequestHead(text(first) + text(rest, 0, rest.length - 4));
  } catch (error) {
    if (late) return null;
    throw error;
  } finally {
    stopHead();
  }
}

async function skipRest(exchange: Exchange): Promise<boolean> {
  let skipped = 0;
  while (!exchange.body.finished) {
    const part = await exchange.body.read();
    if (part === null) return true;
    skipped += part.length;
    if (skipped > SKIP_LIMIT_BYTES) return false;
  }
  return true;
}

async function refuse(connection: Connection, error: HttpError, options: HttpServerOptions): Promise<void> {
  const body = `${JSON.stringify({ message: error.message })}\n`;
  const headers = { ...options.headers, 'Content-Type': 'application/json', 'Content-Length': String(body.length), Connection: 'close' };
  try {
    await connection.write([formatResponseHead(error.status, headers), body]);
  } catch {
    // The client has gone: there is nobody to tell.
  }
}

/**
 * Reads on for a while when the answer was sent before the request had come in whole: closing a socket with unread data
 * resets the connection, and a client that is still sending would see that instead of the answer.
 */
async function linger(connection: Connection, input: Input, { limits, clock }: HttpServerOptions): Promise<void> {
  const stop = clock.after(limits.lingerMs, () => connection.close());
  try {
    await connection.shutdown();
    while ((await input.readSome(SKIP_LIMIT_BYTES)) !== null);
  } catch {
    // It went, or took longer than it was given.
  } finally {
    stop();
  }
}
