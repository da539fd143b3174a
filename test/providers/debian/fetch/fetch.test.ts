import { createHash, randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Executors, LockedPackage } from '../../../../src/model/index.ts';
import { createFetch, type FetchSettings } from '../../../../src/providers/debian/fetch/fetch.ts';
import { startFaultyServer, type FaultyServer } from '../../../support/faulty-server.ts';
import { providerBuild, type ProviderBuild } from '../../../support/provider-build.ts';

let folder: string;
let server: FaultyServer;
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'osbuild-fetch-'));
  server = await startFaultyServer();
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

function offer(name: string, sizeBytes = 200_000): LockedPackage {
  const content = randomBytes(sizeBytes);
  const filename = `pool/main/${name}_1+b1_all.deb`;
  server.files.set(`/debian/${filename}`, content);
  return { name, version: '1+b1', architecture: 'all', archive: 'main', filename, sizeBytes, sha256: createHash('sha256').update(content).digest('hex') };
}

function build(settings: Partial<FetchSettings> = {}, cache = path.join(folder, 'cache'), proxy: string | null = null): ProviderBuild {
  const apt = (): ReturnType<FetchSettings['apt']> =>
    Promise.resolve({ archives: { main: proxy === null ? `${server.url}/debian` : 'http://mirror.invalid/debian', security: `${server.url}/debian-security` }, proxies: { http: proxy, https: null }, options: [] });
  const run = createFetch({ connections: 3, stallTimeoutMs: 1500, retryDelaysMs: [10, 20, 40], apt, ...settings });
  return providerBuild(cache, { apt, extra: { 'debian/fetch': { version: 1, run } } as Partial<Executors> });
}

const fetch = (packages: LockedPackage[], using = build(), signal?: AbortSignal): Promise<Map<string, string>> =>
  using.run([{ id: 'fetch', kind: 'debian/fetch', title: 'Fetch', args: { packages }, inputs: {}, result: 'files' }], ['fetch'], signal);

const partials = (): string[] => (existsSync(path.join(folder, 'cache/partial')) ? readdirSync(path.join(folder, 'cache/partial')) : []).filter((name) => !name.endsWith('.lock'));

describe('fetching packages', () => {
  test('many at once, each verified; what the store has is not asked for again', async () => {
    const packages = Array.from({ length: 12 }, (_, index) => offer(`p${index}`));
    const using = build();
    const made = await fetch(packages, using);
    for (const { sha256, filename } of packages) expect(readFileSync(made.get(`fetch/${sha256}.deb`) ?? '').equals(server.files.get(`/debian/${filename}`) ?? Buffer.alloc(0))).toBe(true);
    expect(using.events.filter((event) => event.type === 'task-progress').at(-1)).toMatchObject({ done: 12 * 200_000, total: 12 * 200_000, unit: 'bytes' });
    server.requests.length = 0;
    await fetch([...packages.slice(0, 11), offer('new')]);
    expect(server.requests).toEqual(['GET /debian/pool/main/new_1+b1_all.deb']);
  });

  test('a dropped and a stalled connection are gone on with by Range', async () => {
    const item = offer('a');
    server.faults.set(`/debian/${item.filename}`, [{ kind: 'drop', afterBytes: 70_000 }, { kind: 'stall', afterBytes: 50_000 }, { kind: 'status', status: 503 }]);
    await fetch([item]);
    expect(server.requests).toEqual(['', ' bytes=70000-', ' bytes=120000-', ' bytes=120000-'].map((range) => `GET /debian/${item.filename}${range}`));
  });

  test('a server that ignores Range sends it whole, and that is right too', async () => {
    const item = offer('a');
    server.faults.set(`/debian/${item.filename}`, [{ kind: 'drop', afterBytes: 70_000 }, { kind: 'no-range' }]);
    await fetch([item]);
    expect(partials()).toEqual([]);
  });

  test('an interrupted run is continued by the next one', async () => {
    const item = offer('a');
    server.faults.set(`/debian/${item.filename}`, [{ kind: 'stall', afterBytes: 90_000 }]);
    const cancel = new AbortController();
    const partial = path.join(folder, 'cache/partial', item.sha256);
    const watch = setInterval(() => existsSync(partial) && statSync(partial).size === 90_000 && cancel.abort(), 10);
    await expect(fetch([item], build({ stallTimeoutMs: 60_000 }), cancel.signal)).rejects.toMatchObject({ code: 'OSB_CANCELLED' });
    clearInterval(watch);
    expect(partials()).toEqual([item.sha256]);
    await fetch([item]);
    expect(server.requests.at(-1)).toBe(`GET /debian/${item.filename} bytes=90000-`);
  });

  test('a damaged file is OSB_HASH_MISMATCH and leaves nothing behind', async () => {
    const item = offer('a');
    server.faults.set(`/debian/${item.filename}`, [{ kind: 'corrupt' }, { kind: 'corrupt' }]);
    await expect(fetch([item])).rejects.toMatchObject({ code: 'OSB_HASH_MISMATCH', hint: expect.stringContaining('mirror') });
    expect(partials()).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });

  test('a damaged partial file of an earlier run is thrown away, not blamed on the mirror', async () => {
    const item = offer('a');
    mkdirSync(path.join(folder, 'cache/partial'), { recursive: true });
    writeFileSync(path.join(folder, 'cache/partial', item.sha256), Buffer.alloc(60_000, 1));
    await fetch([item]);
    expect(server.requests).toEqual([`GET /debian/${item.filename} bytes=60000-`, `GET /debian/${item.filename}`]);
  });

  test('packages that the mirror dropped are named, all of them', async () => {
    const gone = [offer('a'), offer('b')];
    for (const { filename } of gone) server.files.delete(`/debian/${filename}`);
    await expect(fetch([offer('c'), ...gone])).rejects.toMatchObject({ code: 'OSB_LOCK_STALE', message: expect.stringMatching(/a 1\+b1, b 1\+b1/) });
  });

  test('a mirror that is down or keeps failing is OSB_DOWNLOAD_FAILED with a hint', async () => {
    const item = offer('a');
    server.faults.set(`/debian/${item.filename}`, Array.from({ length: 9 }, () => ({ kind: 'status' as const, status: 500 })));
    await expect(fetch([item])).rejects.toMatchObject({ code: 'OSB_DOWNLOAD_FAILED', message: expect.stringContaining('500'), hint: expect.stringContaining('debian.mirror') });
    expect(server.requests).toHaveLength(4);
    await server.close();
    await expect(fetch([item])).rejects.toMatchObject({ code: 'OSB_DOWNLOAD_FAILED', message: expect.stringContaining('ECONNREFUSED') });
  });

  test('through a proxy', async () => {
    const item = offer('a');
    await fetch([item], build({}, path.join(folder, 'cache'), server.url));
    expect(server.requests).toEqual([`GET proxied /debian/${item.filename}`]);
  });

  test('a full disk is OSB_DISK_FULL', async (context) => {
    if (!canMountTmpfs()) context.skip('no small filesystem can be mounted here');
    const cache = path.join(folder, 'small');
    mkdirSync(cache);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=600k', 'tmpfs', cache]);
    try {
      await expect(fetch([offer('a', 900_000)], build({}, cache))).rejects.toMatchObject({ code: 'OSB_DISK_FULL', hint: expect.stringMatching(/space/i) });
    } finally {
      execFileSync('umount', ['-l', cache]);
    }
  });
});

function canMountTmpfs(): boolean {
  const probe = mkdtempSync(path.join(tmpdir(), 'osbuild-probe-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', probe], { stdio: 'ignore' });
    execFileSync('umount', [probe]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}
