import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { sendRaw, statusesOf } from '../support/raw-request.ts';

const PING = 'GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n';
const head = (...fields: string[]): string => ['POST /v1.47/containers/create HTTP/1.1', 'Host: x', ...fields, '', ''].join('\r\n');

/** What stands behind each must never be taken for a request: one answer, then the connection is closed. */
const SMUGGLED: readonly [string, string][] = [
  ['two lengths', head('Content-Length: 2', 'Content-Length: 40') + `{}${PING}`],
  ['the same length twice', head('Content-Length: 2', 'Content-Length: 2') + `{}${PING}`],
  ['a list of lengths', head('Content-Length: 2, 40') + `{}${PING}`],
  ['a length and chunks', head('Content-Length: 4', 'Transfer-Encoding: chunked') + `0\r\n\r\n${PING}`],
  ['chunks and a length', head('Transfer-Encoding: chunked', 'Content-Length: 4') + `0\r\n\r\n${PING}`],
  ['two codings', head('Transfer-Encoding: gzip, chunked') + `0\r\n\r\n${PING}`],
  ['chunked twice', head('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked') + `0\r\n\r\n${PING}`],
  ['a coding that is nearly chunked', head('Transfer-Encoding: xchunked') + `0\r\n\r\n${PING}`],
  ['a coding with a vertical tab', head('Transfer-Encoding:\x0bchunked') + `0\r\n\r\n${PING}`],
  ['a blank before the colon', head('Content-Length : 2') + `{}${PING}`],
  ['a folded field', head('X: y', ' Content-Length: 2') + `{}${PING}`],
  ['a bare line feed', head('X: y\nContent-Length: 2') + `{}${PING}`],
  ['a bare carriage return', head('X: y\rContent-Length: 2') + `{}${PING}`],
  ['a signed length', head('Content-Length: +2') + `{}${PING}`],
  ['a negative length', head('Content-Length: -2') + `{}${PING}`],
  ['a hexadecimal length', head('Content-Length: 0x2') + `{}${PING}`],
  ['a length beyond all numbers', head(`Content-Length: ${'9'.repeat(40)}`) + `{}${PING}`],
  ['a NUL in a field', head('X: a\0b') + PING],
  ['a field without a name', head(': y') + PING],
  ['a field without a colon', head('nothing') + PING],
  ['a chunk size with a sign', head('Transfer-Encoding: chunked') + `-1\r\n\r\n${PING}`],
  ['a chunk size with 0x', head('Transfer-Encoding: chunked') + `0x2\r\n{}\r\n0\r\n\r\n${PING}`],
  ['a chunk size beyond all numbers', head('Transfer-Encoding: chunked') + `${'f'.repeat(30)}\r\n${PING}`],
  ['an empty chunk size', head('Transfer-Encoding: chunked') + `\r\n\r\n${PING}`],
  ['a chunk that is longer than it says', head('Transfer-Encoding: chunked') + `2\r\n{}{}\r\n0\r\n\r\n${PING}`],
  ['a chunk that ends with a bare line feed', head('Transfer-Encoding: chunked') + `2\r\n{}\n0\r\n\r\n${PING}`],
  ['a chunk line without end', head('Transfer-Encoding: chunked') + '1'.repeat(8192)],
  ['trailers without end', `${head('Transfer-Encoding: chunked')}0\r\n${'X: y\r\n'.repeat(10_000)}`],
  ['two hosts', `GET /_ping HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n${PING}`],
  ['no host', `GET /_ping HTTP/1.1\r\n\r\n${PING}`],
  ['no version', `GET /_ping\r\n\r\n${PING}`],
  ['an old version', `GET /_ping HTTP/0.9\r\nHost: x\r\n\r\n${PING}`],
  ['a new version', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${PING}`],
  ['a target that is no path', `GET _ping HTTP/1.1\r\nHost: x\r\n\r\n${PING}`],
  ['a blank in the target', `GET /_ping x HTTP/1.1\r\nHost: x\r\n\r\n${PING}`],
  ['a method that is no word', `GE(T /_ping HTTP/1.1\r\nHost: x\r\n\r\n${PING}`],
  ['TLS', Buffer.from('16030100f8010000f40303', 'hex').toString('latin1') + '\r\n\r\n' + PING],
  ['one giant field', `GET /_ping HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(200_000)}\r\n\r\n${PING}`],
  ['many fields', `GET /_ping HTTP/1.1\r\nHost: x\r\n${'X: y\r\n'.repeat(30_000)}\r\n${PING}`],
  ['a giant target', `GET /${'a'.repeat(200_000)} HTTP/1.1\r\nHost: x\r\n\r\n${PING}`],
];

describeLab('malformed HTTP', (lab) => {
  const residentKb = (): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${lab.daemonPid()}/status`, 'utf8'))?.[1]);

  it.each(SMUGGLED)('%s is refused, and what follows is no request', async (_, message) => {
    const answer = await sendRaw(lab.socket, [Buffer.from(message, 'latin1')]);
    const statuses = statusesOf(answer);
    expect(statuses).toHaveLength(1);
    expect([400, 413, 431, 501, 505]).toContain(statuses[0]);
    expect(answer).toMatch(/^Connection: close\r$/m);
    expect(answer).toMatch(/\{"message":"[^"]+"\}\n$/);
  });

  it('the same, a few bytes at a time', async () => {
    for (const [name, message] of SMUGGLED) {
      if (message.length > 400) continue;
      const bytes = Buffer.from(message, 'latin1');
      const pieces = Array.from({ length: Math.ceil(bytes.length / 37) }, (_, index) => bytes.subarray(index * 37, index * 37 + 37));
      expect(statusesOf(await sendRaw(lab.socket, pieces)), name).toHaveLength(1);
    }
  });

  it('good requests in one piece are answered in order, also behind bodies of both kinds', async () => {
    const unknown = 'POST /v1.47/nothing HTTP/1.1\r\nHost: x\r\n';
    const message = `${PING}${unknown}Content-Length: 5\r\n\r\nGET /${unknown}Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nGET\r\n0\r\nA: b\r\n\r\n${PING.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')}`;
    expect(statusesOf(await sendRaw(lab.socket, [message]))).toEqual([200, 404, 404, 200]);
  });

  it('clients that stop in the middle of a request cost nothing', async () => {
    const before = residentKb();
    const cut = ['G', 'GET /_ping HTTP/1.1\r\n', head('Content-Length: 100'), `${head('Content-Length: 100')}{`, `${head('Transfer-Encoding: chunked')}5\r\n{`];
    for (let round = 0; round < 40; round += 1) await Promise.all(cut.map((message) => sendRaw(lab.socket, [message], 20)));
    expect(residentKb() - before).toBeLessThan(2048);
    expect(statusesOf(await sendRaw(lab.socket, [PING], 500))).toEqual([200]);
    expect(lab.daemonLog()).not.toContain('level=error');
  });
}, { image: false });
