import { createServer, type AddressInfo, type Server, connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { openSlowLink, type SlowLink } from '../../src/device/slow-link.ts';

const body = Buffer.alloc(300_000, 'slow and steady ');
let server: Server;
let link: SlowLink;

/** Answers with the body and what the request said; a request `reset` ends in the middle of the answer. */
beforeEach(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => {
    const parts: Buffer[] = [];
    socket.on('error', () => undefined);
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.on('end', () => {
      const said = Buffer.concat(parts);
      if (said.toString() === 'reset') socket.write(body.subarray(0, 1000), () => socket.resetAndDestroy());
      else socket.end(Buffer.concat([said, body]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  link = await openSlowLink((server.address() as AddressInfo).port);
});
afterEach(async () => {
  await link.close();
  await new Promise((resolve) => server.close(resolve));
});

async function ask(question: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  const socket = connect({ port: link.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(question);
  for await (const part of socket as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}

test('passes both ways what it is given, and counts what goes to the board', async () => {
  expect((await ask('hello')).equals(Buffer.concat([Buffer.from('hello'), body]))).toBe(true);
  expect(link.passedBytes()).toBe(body.length + 5);
});

test('passes no more than its rate, whatever the number of connections', async () => {
  link.setRate(400_000);
  const started = performance.now();
  await Promise.all([ask('a'), ask('b')]);
  // Never faster than the rate: a lower bound, which a busy machine only moves up.
  expect(performance.now() - started).toBeGreaterThanOrEqual((2 * body.length * 1000) / 400_000 - 1);
}, 30_000);

test('a connection that breaks on one side breaks on the other', async () => {
  await expect(ask('reset').then((answer) => answer.length)).resolves.toBeLessThanOrEqual(1000);
});

test('closing it ends connections in mid-transfer', async () => {
  link.setRate(10_000);
  const asked = ask('x').then(
    (answer) => answer.length,
    () => 0,
  );
  await new Promise((resolve) => setTimeout(resolve, 200));
  await link.close();
  expect(await asked).toBeLessThan(body.length);
});
