import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { parseRange, requestedPath, serveFolder, type StaticServer } from '../../../src/providers/yocto/servers/static.ts';

let work: string;
let server: StaticServer;
const content = '0123456789';

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'osbuild-static-'));
  mkdirSync(join(work, 'sstate/aa'), { recursive: true });
  writeFileSync(join(work, 'sstate/aa/sstate:x::1.0:r0:0:aa_populate_sysroot.tar.zst'), content);
  writeFileSync(join(work, 'sstate/empty'), '');
  writeFileSync(join(work, 'sstate/.lock'), 'x');
  writeFileSync(join(work, 'secret'), 'secret');
  symlinkSync(join(work, 'secret'), join(work, 'sstate/outward'));
  symlinkSync('aa', join(work, 'sstate/inward'));
  server = await serveFolder(join(work, 'sstate'), { host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await server.close();
  rmSync(work, { recursive: true, force: true });
});

/** A request whose path nobody tidies up on its way. */
function ask(path: string, options: { method?: string; headers?: Record<string, string> } = {}): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: server.port, path, agent: false, ...options }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts).toString() }));
    });
    asked.on('error', reject).end();
  });
}

const file = '/aa/sstate%3ax%3a%3a1.0%3ar0%3a0%3aaa_populate_sysroot.tar.zst';

describe('the web server for shared state', () => {
  test('sends a file, and only its head where that is asked for', async () => {
    expect(await ask(file)).toMatchObject({ status: 200, body: content, headers: { 'content-length': '10', 'accept-ranges': 'bytes' } });
    expect(await ask(file, { method: 'HEAD' })).toMatchObject({ status: 200, body: '', headers: { 'content-length': '10' } });
    expect(await ask('/empty')).toMatchObject({ status: 200, body: '' });
    expect(await ask(file.replace('/aa/', '//inward/./'))).toMatchObject({ status: 200, body: content });
  });

  test.each([
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=5-100', 206, '56789', 'bytes 5-9/10'],
    ['bytes=10-', 416, '416\n', 'bytes */10'],
    ['bytes=-0', 416, '416\n', 'bytes */10'],
    ['bytes=4-2', 200, content, undefined],
    ['bytes=0-1,4-5', 200, content, undefined],
    ['lines=1-2', 200, content, undefined],
  ])('a range of %s', async (range, status, body, contentRange) => {
    const got = await ask(file, { headers: { range } });
    expect({ status: got.status, body: got.body, range: got.headers['content-range'] }).toEqual({ status, body, range: contentRange });
  });

  test('a part of what was before is no part of what is now', async () => {
    const { headers } = await ask(file);
    expect(await ask(file, { headers: { range: 'bytes=2-4', 'if-range': String(headers['etag']) } })).toMatchObject({ status: 206, body: '234' });
    expect(await ask(file, { headers: { range: 'bytes=2-4', 'if-range': '"other"' } })).toMatchObject({ status: 200, body: content });
    expect(await ask(file, { headers: { 'if-none-match': String(headers['etag']) } })).toMatchObject({ status: 304, body: '' });
  });

  test.each([
    ['/../secret', 400],
    ['/aa/../../secret', 400],
    ['/%2e%2e/secret', 400],
    ['/..%2fsecret', 400],
    ['/aa/..%5c..%5csecret', 400],
    ['/%00', 400],
    ['/%zz', 400],
    ['/outward', 404],
    ['/.lock', 404],
    ['/', 404],
    ['/aa', 404],
    ['/nothing', 404],
    [`${file}/deeper`, 404],
  ])('%s is not served', async (path, status) => {
    const got = await ask(path);
    expect(got.status).toBe(status);
    expect(got.body).not.toContain('secret');
  });

  test.each(['PUT', 'POST', 'DELETE'])('%s changes nothing', async (method) => {
    expect(await ask(file, { method })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
    expect(await ask(file)).toMatchObject({ body: content });
  });

  test('a taken port is said', async () => {
    await expect(serveFolder(work, { host: '127.0.0.1', port: server.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

test('paths and ranges', () => {
  expect(requestedPath('/a//b/./c?d#e')).toBe('a/b/c');
  expect(requestedPath('http://elsewhere/a')).toBeNull();
  expect(parseRange(undefined, 10)).toBeNull();
  expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable');
  expect(parseRange('bytes=-', 10)).toBeNull();
});
