import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpClient, HttpClientError, jsonLines, type HttpClient } from '../../../src/engine/http/client.ts';
import { socketConnection } from '../cli/support/node-ports.ts';

const codec = { decode: (bytes: Uint8Array) => new TextDecoder().decode(bytes), encode: (text: string) => new TextEncoder().encode(text) };

/** A server that plays a script: for each connection, what it answers to whatever comes. */
async function scripted(...answers: ReadonlyArray<(socket: Socket, request: string) => void>) {
  const requests: string[] = [];
  let connections = 0;
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    connections++;
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      requests.push(data.toString());
      answers[Math.min(requests.length, answers.length) - 1]?.(socket, data.toString());
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const client: HttpClient = createHttpClient({
    codec, host: 'test', userAgent: 'test',
    dial: () => new Promise((resolve) => {
      const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true }, () => resolve(socketConnection(socket)));
    }),
  });
  return { client, requests, connections: () => connections, close: () => { client.close(); server.close(); } };
}

const reply = (text: string) => (socket: Socket) => void socket.write(text);
const get = { method: 'GET', target: '/x' };

describe('the HTTP client', () => {
  let world: Awaited<ReturnType<typeof scripted>> | null = null;
  afterEach(() => world?.close());

  it('reads a body of known length and keeps the connection', async () => {
    world = await scripted(reply('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello'));
    for (let count = 0; count < 3; count++) {
      const answer = await world.client.send(get);
      expect([answer.status, answer.headers.get('x-a'), await answer.text()]).toEqual([200, '1, 2', 'hello']);
    }
    expect(world.connections()).toBe(1);
    expect(world.requests[0]).toMatch(/^GET \/x HTTP\/1\.1\r\nHost: test\r\n/);
  });

  it('reads chunks with extensions and trailers, cut anywhere', async () => {
    const text = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n1\r\n \r\nA\r\nworld wide\r\n0\r\nTrailer: x\r\n\r\n';
    world = await scripted(async (socket) => {
      for (const character of text) {
        socket.write(character);
        await new Promise((resolve) => { setImmediate(resolve); });
      }
    });
    expect(await (await world.client.send(get)).text()).toBe('hello world wide');
    await (await world.client.send(get)).text();
    expect(world.connections()).toBe(1);
  });

  it('reads to the end of the connection without a length', async () => {
    world = await scripted((socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nall of it'));
    expect(await (await world.client.send(get)).text()).toBe('all of it');
  });

  it('skips interim answers, and bodies that may not be there', async () => {
    world = await scripted(reply('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n'), reply('HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n'));
    expect(await (await world.client.send(get)).text()).toBe('');
    expect((await world.client.send(get)).status).toBe(304);
  });

  it('dials again when the server closed a kept connection', async () => {
    world = await scripted((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    await (await world.client.send(get)).text();
    expect(await (await world.client.send(get)).text()).toBe('ok');
    expect(world.connections()).toBe(2);
  });

  it('sends a stream in chunks', async () => {
    world = await scripted((socket, request) => { if (request.endsWith('0\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'); });
    const parts = ['one', 'two'];
    await world.client.send({ method: 'POST', target: '/', body: { read: async () => { const part = parts.shift(); return part === undefined ? null : codec.encode(part); } } });
    expect(world.requests.join('')).toContain('Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n');
  });

  it('takes the answer of a server that refuses the rest of a body', async () => {
    world = await scripted((socket) => socket.end('HTTP/1.1 507 No\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfull'));
    const answer = await world.client.send({ method: 'POST', target: '/', body: { read: () => new Promise((resolve) => { setTimeout(() => resolve(new Uint8Array(65536)), 5); }) } });
    expect([answer.status, await answer.text()]).toEqual([507, 'full']);
    answer.close();
  });

  it('hands a connection over, with what was read already', async () => {
    world = await scripted(reply('HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nearly'), (socket, data) => { socket.write(`<${data}>`); });
    const result = await world.client.hijack({ method: 'POST', target: '/attach' });
    if (result.kind !== 'hijacked') throw new Error('refused');
    expect(codec.decode((await result.connection.read()) ?? new Uint8Array())).toBe('early');
    await result.connection.write('typed');
    expect(codec.decode((await result.connection.read()) ?? new Uint8Array())).toBe('<typed>');
    await result.connection.shutdown();
    expect(world.requests[0]).toContain('Connection: Upgrade\r\nUpgrade: tcp\r\n');
    result.connection.close();
  });

  it.each([
    ['SSH-2.0-x\r\n', 'malformed'], ['HTTP/1.1 200 OK\r\nbroken header\r\n\r\n', 'malformed'], ['HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n', 'malformed'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 'malformed'], ['HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort', 'closed'], ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe', 'closed'],
    ['HTTP/1.1 200', 'closed'], ['', 'closed'], [`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`, 'too-large'], [`HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(300)}\r\n`, 'too-large'],
  ])('refuses %j: %s', async (text, code) => {
    world = await scripted((socket) => socket.end(text));
    const attempt = world.client.send(get).then((answer) => answer.text());
    await expect(attempt).rejects.toMatchObject({ name: 'HttpClientError', code });
    await expect(attempt).rejects.toBeInstanceOf(HttpClientError);
  });

  it('refuses to send a header with a line end', async () => {
    world = await scripted(reply(''));
    await expect(world.client.send({ ...get, headers: { 'X-A': 'b\r\nEvil: 1' } })).rejects.toThrow('line end');
  });

  it('gives up when the body of a request cannot be read', async () => {
    world = await scripted(() => undefined);
    const body = { read: () => Promise.reject(Object.assign(new Error('read failed'), { code: 'EIO' })) };
    await expect(world.client.send({ method: 'POST', target: '/', body })).rejects.toThrow('read failed');
  });

  it('takes JSON values apart at line ends, whatever the chunks', async () => {
    const bytes = codec.encode('{"a":"é"}\r\n\n{"b":2}\n{"c":3}');
    const source = { at: 0, async read() { return this.at < bytes.length ? bytes.subarray(this.at, ++this.at) : null; } };
    const values: unknown[] = [];
    for await (const value of jsonLines(source, codec)) values.push(value);
    expect(values).toEqual([{ a: 'é' }, { b: 2 }, { c: 3 }]);
  });
});
