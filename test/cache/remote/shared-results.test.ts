import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { BlobStore, CacheLayout, remoteServer, ResultStore, sharedResults, type SharedResults, type TaskResult } from '../../../src/cache/index.ts';
import { createHttpClient } from '../../../src/http/index.ts';
import type { BuildEvent } from '../../../src/model/index.ts';
import { startFaultyServer, type FaultyServer } from '../../support/faulty-server.ts';

const key = createHash('sha256').update('a task').digest('hex');
const content = Buffer.from('what the task made\n'.repeat(10_000));
const sha256 = createHash('sha256').update(content).digest('hex');

interface Machine {
  blobs: BlobStore;
  own: ResultStore;
  results: SharedResults;
  layout: CacheLayout;
  notices(): string[];
}

let folder: string;
let server: FaultyServer;
let count = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'osbuild-remote-'));
  server = await startFaultyServer();
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

/** A machine with an empty cache of its own. */
function machine(options: { push?: boolean; url?: string; token?: string; signal?: AbortSignal } = {}): Machine {
  const layout = new CacheLayout(join(folder, String(count++)));
  const blobs = new BlobStore(layout);
  const own = new ResultStore(layout, blobs);
  const events: BuildEvent[] = [];
  const client = createHttpClient({ http: null, https: null }, { connections: 4, stallTimeoutMs: 2000 });
  const remote = remoteServer({ url: options.url ?? `${server.url}/team/`, ...(options.token === undefined ? {} : { token: options.token }) }, client);
  const results = sharedResults({ local: own, blobs, layout, server: remote, push: options.push ?? false, emit: (event) => events.push(event), signal: options.signal ?? new AbortController().signal });
  return { blobs, own, results, layout, notices: () => events.flatMap((event) => (event.type === 'notice' && event.level === 'warning' ? [`${event.message} ${event.hint ?? ''}`] : [])) };
}

async function made({ blobs, layout }: Machine): Promise<TaskResult> {
  await mkdir(layout.work(), { recursive: true });
  const file = join(layout.work(), 'made');
  await writeFile(file, content);
  const empty = join(layout.work(), 'empty');
  await writeFile(empty, '');
  return { files: { 'a+b_1%3a2~3.deb': await blobs.take(file), empty: await blobs.take(empty) }, tree: false, durationMs: 5 };
}

async function fill(): Promise<void> {
  const first = machine({ push: true });
  await first.results.put(key, await made(first));
  await first.results.settle();
  expect(first.notices()).toEqual([]);
}

describe('results shared through a server', () => {
  test('what one machine made, another with an empty cache has', async () => {
    await fill();
    const second = machine();
    expect(await second.results.get(key, 'task')).toEqual({ files: expect.objectContaining({ 'a+b_1%3a2~3.deb': { sha256, sizeBytes: content.length } }) as unknown, tree: false, durationMs: 0 });
    expect(await readFile(second.blobs.path(sha256))).toEqual(content);
    // From now on it is its own.
    await server.close();
    expect(await second.own.get(key)).not.toBeNull();
    expect(await second.results.get(key, 'task')).not.toBeNull();
    expect(second.notices()).toEqual([]);
  });

  test('a result is stored after the blobs that it names, and blobs that are there are not sent again', async () => {
    await fill();
    expect(server.requests.at(-1)).toBe(`PUT /team/ac/${key}`);
    server.requests.length = 0;
    await fill();
    expect(server.requests.filter((request) => request.startsWith('PUT'))).toEqual([`PUT /team/ac/${key}`]);
  });

  test('a machine that may not store only reads', async () => {
    const first = machine();
    await first.results.put(key, await made(first));
    await first.results.settle();
    expect(server.requests).toEqual([]);
  });

  test.each([
    ['sends other content', { kind: 'corrupt' } as const, 9],
    ['breaks off', { kind: 'drop', afterBytes: 1000 } as const, 9],
    ['falls silent', { kind: 'stall', afterBytes: 1000 } as const, 9],
    ['fails', { kind: 'status', status: 503 } as const, 9],
  ])('a server that %s is left alone, and nothing of it stays', async (_, fault, times) => {
    await fill();
    server.faults.set(`/team/cas/${sha256}`, Array.from({ length: times }, () => fault));
    const second = machine();
    expect(await second.results.get(key, 'task')).toBeNull();
    expect(second.notices()).toHaveLength(1);
    expect(await second.blobs.size(sha256)).toBeNull();
    expect(await readdir(second.layout.work())).toEqual([]);
    server.requests.length = 0;
    expect(await second.results.get('0'.repeat(64), 'another task')).toBeNull();
    expect(server.requests).toEqual([]);
  });

  test.each([
    ['breaks off', { kind: 'drop', afterBytes: 1000 } as const],
    ['is busy', { kind: 'status', status: 503 } as const],
  ])('a server that %s once is asked again', async (_, fault) => {
    await fill();
    server.faults.set(`/team/cas/${sha256}`, [fault]);
    const second = machine();
    expect(await second.results.get(key, 'task')).not.toBeNull();
    expect(second.notices()).toEqual([]);
  });

  test('a result whose blobs the server has dropped does not count', async () => {
    await fill();
    server.files.delete(`/team/cas/${sha256}`);
    const second = machine();
    expect(await second.results.get(key, 'task')).toBeNull();
    expect(second.notices()).toEqual([]);
  });

  test.each([
    ['no JSON', 'hello'],
    ['a result of something else', '{"outputFiles":[],"exitCode":1}'],
    ['a path that leads out', JSON.stringify({ outputFiles: [{ path: '../../x', digest: { hash: sha256, sizeBytes: '5' } }] })],
    ['a digest that is a path', JSON.stringify({ outputFiles: [{ path: 'x', digest: { hash: '../../../etc/passwd', sizeBytes: '5' } }] })],
    ['an impossible size', JSON.stringify({ outputFiles: [{ path: 'x', digest: { hash: sha256, sizeBytes: '-1' } }] })],
  ])('%s is no result', async (_, text) => {
    server.files.set(`/team/ac/${key}`, Buffer.from(text));
    const second = machine();
    expect(await second.results.get(key, 'task')).toBeNull();
    expect(second.notices().join()).toContain('no result of a task');
  });

  test('credentials: a token, or user and password, and a hint where they are wrong', async () => {
    server.authorization = 'Bearer secret';
    const right = machine({ push: true, token: 'secret' });
    await right.results.put(key, await made(right));
    await right.results.settle();
    expect(right.notices()).toEqual([]);
    const wrong = machine({ token: 'other' });
    expect(await wrong.results.get(key, 'task')).toBeNull();
    expect(wrong.notices().join()).toMatch(/401 \(the server wants other credentials\).*OSBUILD_REMOTE_CACHE_TOKEN/);
    server.authorization = `Basic ${Buffer.from('us er:p@ss').toString('base64')}`;
    const basic = machine({ url: `${server.url.replace('//', '//us%20er:p%40ss@')}/team` });
    expect(await basic.results.get(key, 'task')).not.toBeNull();
    expect(basic.notices()).toEqual([]);
  });

  test('a server that takes nothing more: what it has is still read', async () => {
    await fill();
    const other = createHash('sha256').update('another').digest('hex');
    server.faults.set(`/team/ac/${other}`, [{ kind: 'status', status: 507 }]);
    const second = machine({ push: true });
    await second.results.put(other, await made(second));
    await second.results.settle();
    expect(second.notices().join()).toMatch(/507 \(the server is full\); the build goes on without storing there/);
    expect(await second.own.get(other)).not.toBeNull();
    expect(await second.results.get(key, 'task')).not.toBeNull();
  });

  test('a server that is not there is named once, without its password', async () => {
    const lost = machine({ push: true, url: 'http://user:secret@127.0.0.1:1/x' });
    expect(await lost.results.get(key, 'task')).toBeNull();
    await lost.results.put(key, await made(lost));
    await lost.results.settle();
    expect(lost.notices()).toHaveLength(1);
    expect(lost.notices().join()).not.toContain('secret');
  });

  test('cancelled: nothing is waited for and nothing is reported', async () => {
    const abort = new AbortController();
    server.faults.set(`/team/ac/${key}`, [{ kind: 'stall', afterBytes: 0 }]);
    server.files.set(`/team/ac/${key}`, Buffer.from('{}'));
    const second = machine({ signal: abort.signal });
    const waiting = second.results.get(key, 'task');
    setTimeout(() => abort.abort(), 50);
    expect(await waiting).toBeNull();
    expect(second.notices()).toEqual([]);
  });
});
