import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { cyclonedx } from '../../src/image/sbom.ts';
import type { ImageManifest } from '../../src/image/index.ts';

/** Every call starts the program anew, beside much else. */
vi.setConfig({ testTimeout: 600_000 });

const home = new URL('../..', import.meta.url).pathname;
const data = join(home, 'test/advisories/tracker-data.json');
let folder = '';
let server: Server;
let address = '';
const asked: (string | undefined)[] = [];
const cve = (...words: string[]) => execa(join(home, 'osbuild'), ['cve', '--sbom', join(folder, 'sbom.cdx.json'), ...words], { reject: false, stdin: 'ignore', env: { OSBUILD_CACHE_DIR: join(folder, 'cache') } });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'osbuild-cve-'));
  const one = { architecture: 'amd64', section: 'libs', licences: [], homepage: null, installedBytes: 1, downloadBytes: 1, sha256: '0'.repeat(64), files: 1 };
  const packages = [
    { ...one, name: 'libssl3t64', version: '3.5.7-1~deb13u3', source: 'openssl', sourceVersion: '3.5.7-1~deb13u3' },
    { ...one, name: 'bash', version: '5.2.37-2+b10', source: 'bash', sourceVersion: '5.2.37-2' },
    { ...one, name: 'unrelated', version: '1', source: 'unrelated', sourceVersion: '1', downloadUrl: 'https://example.com/unrelated' },
  ];
  const manifest = { version: 1, name: 'Minke OS', machine: 'board', mode: 'production', os: { name: 'Minke OS', id: 'minke', version: '1' }, kernelVersion: '6', image: { file: 'x', sha256: '0'.repeat(64), compressedBytes: 1, sizeBytes: 1, mappedBytes: 1 }, partitions: [], initrd: { compressedBytes: 1, unpackedBytes: 1, modules: [], programs: [] }, packages } satisfies ImageManifest;
  writeFileSync(join(folder, 'sbom.cdx.json'), JSON.stringify(cyclonedx(manifest, 0)));
  server = createServer((request, response) => {
    asked.push(request.headers['if-none-match']);
    if (request.headers['if-none-match'] === '"one"') return response.writeHead(304).end();
    response.writeHead(200, { ETag: '"one"' }).end(readFileSync(data));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tracker/data/json`;
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

test('issues are listed for people', async () => {
  const { exitCode, stdout } = await cve('--data', data);
  expect(exitCode).toBe(0);
  expect(stdout.split('\n').map((line) => line.split(/ {3,}/))).toEqual([
    ['URGENCY', 'ISSUE', 'SOURCE', 'VERSION', 'STATE', 'PACKAGES'],
    ['high', 'CVE-2026-0101', 'openssl', '3.5.7-1~deb13u3', 'fixed in 3.5.7-1~deb13u4', 'libssl3t64'],
    ['low', 'CVE-2026-2000', 'bash', '5.2.37-2', 'open, postponed', 'bash'],
    [''],
    ['2 issues: 1 high, 1 low; 2 unimportant or undetermined (--all)'],
  ]);
});

test('issues are lines of JSON for programs', async () => {
  const { stdout } = await cve('--data', data, '--json', '--all');
  const lines = stdout.split('\n').map((line) => JSON.parse(line) as { type: string; id?: string });
  expect(lines.filter(({ type }) => type === 'issue').map(({ id }) => id)).toEqual(['CVE-2026-0101', 'CVE-2026-2000', 'TEMP-1234567-A1B2C3', 'CVE-2026-2001']);
  expect(lines.at(-1)).toEqual({ type: 'cve', suite: 'trixie', packages: 2, issues: 4, left: 0, urgencies: { high: 1, low: 1, 'not yet assigned': 1, unimportant: 1 } });
});

test('--fail-on looks at what is as urgent, or can be helped', async () => {
  for (const limit of ['high', 'fixed']) expect([limit, (await cve('--data', data, '--fail-on', limit)).exitCode]).toEqual([limit, 1]);
  const mild = join(folder, 'mild.json');
  const { bash } = JSON.parse(readFileSync(data, 'utf8')) as Record<string, unknown>;
  writeFileSync(mild, JSON.stringify({ bash }));
  for (const [limit, status] of [['medium', 0], ['fixed', 0], ['low', 1]] as const) expect([limit, (await cve('--data', mild, '--fail-on', limit)).exitCode]).toEqual([limit, status]);
});

test('the data is kept, asked for again, and stands in where it cannot be had', async () => {
  for (let time = 0; time < 2; time += 1) expect((await cve('--data', address)).stdout).toContain('CVE-2026-0101');
  expect(asked).toEqual([undefined, '"one"']);
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  const { exitCode, stdout, stderr } = await cve('--data', address);
  expect([exitCode, stdout.includes('CVE-2026-0101')]).toEqual([0, true]);
  expect(stderr).toContain('cannot be reached');
  const never = await cve('--data', `${address}?other`);
  expect(never).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('--data names a copy') });
});

test.each([
  [['--data', '/absent.json'], 'cannot read /absent.json'],
  [['--data', join(home, 'package.json')], 'is not the data of Debian'],
  [['--data', data, '--fail-on', 'never'], 'nothing to fail on'],
  [['--data', data, '--machine', 'qemux86-64'], 'exclude each other'],
])('%j is refused', async (words, complaint) => expect(await cve(...words)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(complaint) }));
