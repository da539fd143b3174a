import { describe, expect, it } from 'vitest';
import { collect, DEFAULT_LIMITS, HttpError, serveConnection, type Exchange } from '../../../src/engine/http/index.ts';
import { fakeConnection, type FakeConnection } from '../support/fake-connection.ts';

interface Served {
  connection: FakeConnection;
  done: Promise<void>;
  faults: unknown[];
  fire(): void;
}

function serve(handle: (exchange: Exchange) => Promise<void>): Served {
  const connection = fakeConnection();
  const faults: unknown[] = [];
  const timers = new Set<() => void>();
  const clock = {
    now: () => 0,
    monotonicMs: () => 0,
    after(_: number, callback: () => void) {
      timers.add(callback);
      return () => void timers.delete(callback);
    },
  };
  const done = serveConnection(connection, { limits: { ...DEFAULT_LIMITS, headBytes: 200 }, clock, headers: { Server: 'test' }, handle, onFault: (error) => void faults.push(error) });
  return { connection, done, faults, fire: () => timers.forEach((callback) => callback()) };
}

const echo = async (exchange: Exchange): Promise<void> => {
  const body = await collect(exchange.body, 1000);
  await exchange.respond(200, {}, `${exchange.head.method} ${exchange.head.path} ${Buffer.from(body).toString()}`);
};
const bodies = (received: string): string[] => received.split(/HTTP\/1\.1 /).slice(1).map((answer) => answer.slice(answer.indexOf('\r\n\r\n') + 4));

describe('the HTTP server', () => {
  it('answers pipelined requests in order, with bodies of both kinds, in any pieces', async () => {
    const { connection, done } = serve(echo);
    const requests =
      'POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello' +
      'POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: y\r\n\r\n' +
      'GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    for (const character of requests) connection.send(character);
    await done;
    expect(bodies(connection.received)).toEqual(['POST /a hello', 'POST /b abcde', 'GET /c ']);
    expect(connection.closed).toBe(true);
  });

  it('keeps a connection after a body that the handler left unread', async () => {
    const { connection, done } = serve((exchange) => exchange.respond(200, {}, 'ok'));
    connection.send('POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello');
    connection.send('GET /b HTTP/1.1\r\nHost: x\r\n\r\n');
    connection.end();
    await done;
    expect(bodies(connection.received)).toEqual(['ok', 'ok']);
  });

  it('keeps a connection after an error, when the request was read to its end', async () => {
    const { connection, done } = serve((exchange) => (exchange.head.path === '/a' ? Promise.reject(new HttpError(404, 'no such thing')) : echo(exchange)));
    connection.send('GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n');
    connection.end();
    await done;
    expect(bodies(connection.received)).toEqual(['{"message":"no such thing"}\n', 'GET /b ']);
  });

  it.each([
    ['an error', () => Promise.reject(new HttpError(400, 'no'))],
    ['an answer', (exchange: Exchange) => exchange.respond(200, {}, 'no')],
  ])('reads on after %s that came before the end of the body, so that the client sees it', async (_, handle) => {
    const { connection, done, fire } = serve(handle);
    const upload = (): void => connection.send('x'.repeat(300_000));
    connection.send('POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n');
    for (let sent = 0; sent < 3; sent++) {
      upload();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(connection.received).toContain('no');
    expect(connection.closed).toBe(false);
    fire();
    expect(connection.closed).toBe(true);
    await done;
  });

  it('streams in chunks, and without them to HTTP/1.0', async () => {
    const handle = async (exchange: Exchange): Promise<void> => {
      const stream = await exchange.stream(200, {});
      await stream.write('one');
      await stream.write(['tw', 'o']);
      await stream.end();
    };
    const modern = serve(handle);
    modern.connection.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    modern.connection.end();
    await modern.done;
    expect(bodies(modern.connection.received)).toEqual(['3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n']);
    const old = serve(handle);
    old.connection.send('GET / HTTP/1.0\r\n\r\n');
    await old.done;
    expect(bodies(old.connection.received)).toEqual(['onetwo']);
  });

  it('hands a connection over, with what the client sent too early', async () => {
    const { connection, done } = serve(async (exchange) => {
      const raw = await exchange.hijack('application/x-test');
      const early = await raw.read();
      await raw.write(`got ${Buffer.from(early ?? []).toString()}`);
      raw.close();
    });
    connection.send('POST /attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly');
    await done;
    expect(connection.received).toMatch(/^HTTP\/1\.1 101 UPGRADED\r\n[^]*\r\n\r\ngot early$/);
  });

  it('tells the handler that the client has gone', async () => {
    let cancelled = false;
    const { connection, done } = serve(async (exchange) => {
      const stream = await exchange.stream(200, {});
      await new Promise<void>((resolve) => exchange.gone.onCancel(resolve));
      cancelled = true;
      await stream.end();
    });
    connection.send('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 10));
    connection.end();
    await done;
    expect(cancelled).toBe(true);
  });

  it('answers 500 for a fault, reports it, and goes on', async () => {
    const { connection, done, faults } = serve((exchange) => (exchange.head.path === '/bad' ? Promise.reject(new Error('broken')) : exchange.respond(200, {}, 'fine')));
    connection.send('GET /bad HTTP/1.1\r\nHost: x\r\n\r\nGET /good HTTP/1.1\r\nHost: x\r\n\r\n');
    connection.end();
    await done;
    expect(bodies(connection.received)).toEqual(['{"message":"broken"}\n', 'fine']);
    expect(faults).toHaveLength(1);
  });

  it('sends no body to HEAD and with 304', async () => {
    const { connection, done } = serve((exchange) => exchange.respond(exchange.head.method === 'HEAD' ? 200 : 304, {}, 'text'));
    connection.send('HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n');
    connection.end();
    await done;
    expect(bodies(connection.received)).toEqual(['', '']);
    expect(connection.received).toContain('Content-Length: 4');
  });

  it.each([
    ['GET /\r\n\r\n', '400'],
    ['GET / HTTP/2.0\r\nHost: x\r\n\r\n', '505'],
    ['GET / HTTP/1.1\r\n\r\n', '400'],
    ['GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n', '400'],
    ['GET / HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n', '400'],
    ['GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n', '400'],
    ['GET / HTTP/1.1\r\nHost: x\u0001\r\n\r\n', '400'],
    ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n', '400'],
    ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', '400'],
    ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', '400'],
    ['POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n', '501'],
    ['POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n', '400'],
    ['POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n', '400'],
    ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n' + 'x'.repeat(1001), '413'],
    [`GET /${'a'.repeat(300)} HTTP/1.1\r\n`, '431'],
  ])('refuses %j with %s', async (request, status) => {
    const { connection, done } = serve(echo);
    connection.send(request);
    connection.end();
    await done;
    expect(connection.received.slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
    expect(connection.closed).toBe(true);
  });

  it('closes on a client that never finishes its request', async () => {
    const { connection, done, fire } = serve(echo);
    connection.send('GET / HT');
    await new Promise((resolve) => setTimeout(resolve, 10));
    fire();
    await done;
    expect(connection.closed).toBe(true);
    expect(connection.received).toBe('');
  });
});
