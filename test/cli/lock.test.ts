import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { canMakeArchives, makeArchive, type TestPackage } from '../support/debian-archive.ts';
import { startFaultyServer, type FaultyServer } from '../support/faulty-server.ts';

/** A project of one machine and one recipe, whose packages come from an archive on loopback. */
const machine = `description: A board
arch: aarch64
kernel: { debian: { package: kernel, architecture: arm64 } }
boot: { method: u-boot, package: { package: loader, architecture: arm64 }, file: u-boot.bin }
disk: { table: gpt }
`;
const packages = (version: string): TestPackage[] => [
  { name: 'tool', version, architecture: 'arm64', fields: { Depends: 'libtool5' }, scripts: { postinst: `#!/bin/sh\necho set up ${version}\n` } },
  { name: 'libtool5', architecture: 'arm64' },
  { name: 'kernel', architecture: 'arm64' },
  { name: 'loader', architecture: 'arm64' },
  { name: 'mawk', architecture: 'arm64', fields: { Provides: 'awk' } },
];

let keys: string;
let folder: string;
let server: FaultyServer;

beforeAll(() => void (keys = mkdtempSync(join(tmpdir(), 'osbuild-keys-'))));
afterAll(() => rmSync(keys, { recursive: true, force: true }));

beforeEach(async (context) => {
  if (!canMakeArchives()) context.skip('gpg, which signs the test archive, is not installed');
  folder = mkdtempSync(join(tmpdir(), 'osbuild-cli-lock-'));
  server = await startFaultyServer();
  publish('1.0');
  const files = {
    'build.config.yaml': `recipes: [mine]\ndebian:\n  components: [main]\n  mirror: ${server.url}/debian\n  securityMirror: ${server.url}/debian-security\n  keyring: archive.gpg\n`,
    'machines/board.yaml': machine,
    'recipes/mine/recipe.yaml': 'description: Mine\npackages:\n  debian: [tool]\n',
    'archive.gpg': readFileSync(join(keys, 'archive.gpg')),
  };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

function publish(version: string): void {
  server.files.clear();
  for (const [place, bytes] of makeArchive(mkdtempSync(join(folder, 'archive-')), keys, packages(version)).files) {
    server.files.set(`/debian/${place}`, bytes);
    server.files.set(`/debian-security/${place}`, bytes);
  }
}

async function osbuild(...args: string[]) {
  const { exitCode, stdout, stderr } = await execa(join(process.cwd(), 'osbuild'), args, { cwd: folder, reject: false, env: { OSBUILD_CACHE_DIR: join(folder, 'cache') } });
  return { exitCode, stdout, stderr };
}

const lockFile = (): string => join(folder, 'machines/locks/board.lock.json');
const lockedVersion = (): unknown => (JSON.parse(readFileSync(lockFile(), 'utf8')) as { packages: { name: string; version: string }[] }).packages.find(({ name }) => name === 'tool')?.version;

test('lock writes versions and leaves them alone; --update takes newer ones; --diff says what that changed', async () => {
  const first = await osbuild('lock');
  expect(first.stderr + first.stdout).toContain('board.lock.json: written, ');
  expect(first.exitCode).toBe(0);
  expect(lockedVersion()).toBe('1.0');
  const before = readFileSync(lockFile());
  writeFileSync(join(folder, 'before.json'), before);

  const again = await osbuild('lock', '--machine', 'board');
  expect(again.stdout).toContain('unchanged');
  expect(readFileSync(lockFile())).toEqual(before);

  publish('2.0');
  expect((await osbuild('lock', '--update')).stdout).toContain('written');
  expect(lockedVersion()).toBe('2.0');

  const diff = await osbuild('lock', '--diff', 'before.json', 'machines/locks/board.lock.json');
  expect(diff.exitCode).toBe(0);
  expect(diff.stdout).toContain('tool arm64: 1.0 → 2.0\n');
  expect(diff.stdout).not.toContain('libtool5 arm64');
  const same = await osbuild('lock', '--diff', 'before.json', 'before.json', '--json');
  expect(JSON.parse(same.stdout.split('\n')[0] ?? '')).toMatchObject({ type: 'lock-diff', packages: [], scripts: [] });
}, 180_000);

test('lock --diff of a file that is not there, or of one alone', async () => {
  expect(await osbuild('lock', '--diff', 'a.json', 'b.json')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('there is no lock file') });
  await osbuild('lock');
  expect(await osbuild('lock', '--diff', 'machines/locks/board.lock.json')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('two lock files are compared') });
}, 120_000);
