import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { afterEach, describe, expect, test } from 'vitest';

import { httpGet } from '../../src/device/http-get.ts';

let server: Server | undefined;
const held = new Set<Socket>();
afterEach(() => {
  for (const socket of held) socket.destroy();
  held.clear();
  server?.close();
});

/** A server that does with each connection what it is told to, once something was asked. */
async function serving(answer: (socket: Socket) => void): Promise<number> {
  server = createServer((socket) => {
    held.add(socket);
    socket.on('error', () => undefined).once('data', () => answer(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('a page of a board', () => {
  test('comes with its status', async () => {
    const port = await serving((socket) => socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nnone\n'));
    expect(await httpGet(port, '/', { timeoutMs: 5000 })).toEqual({ status: 404, text: 'none\n' });
  });

  test.each([
    ['nobody says anything', (): void => undefined],
    ['it stops in the middle', (socket: Socket): void => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart')],
  ])('is not waited for longer than was said: %s', async (_why, answer) => {
    await expect(httpGet(await serving(answer), '/', { timeoutMs: 200 })).rejects.toThrow('did not answer within 0.2 s');
  });

  test('that is cut off is an error', async () => {
    const port = await serving((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart', () => socket.destroy()));
    await expect(httpGet(port, '/', { timeoutMs: 5000 })).rejects.toThrow(/aborted|ECONNRESET/);
  });

  test('each is asked for over a connection of its own', async () => {
    const port = await serving((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    for (const times of [1, 2]) {
      await httpGet(port, '/', { timeoutMs: 5000 });
      expect(held.size).toBe(times);
    }
  });
});
