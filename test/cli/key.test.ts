import { createPublicKey, sign, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';

const home = new URL('../..', import.meta.url).pathname;
let folder: string;
const osbuild = (...words: string[]) => execa(join(home, 'osbuild'), [...words, '-C', folder], { reject: false, stdin: 'ignore' });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'osbuild-key-'));
  writeFileSync(join(folder, 'build.config.yaml'), 'base: osbuild\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a new key signs, is for its owner alone, and comes with the recipe that makes devices trust it', async () => {
  const made = await osbuild('key', 'new', 'release-2026');
  expect(made).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('signWith: [keys/release-2026.pem]') });
  const file = join(folder, 'keys/release-2026.pem');
  const trusted = readFileSync(join(folder, 'recipes/update-keys/files/usr/lib/minke/os/keys/release-2026.pem'), 'utf8');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(folder, 'keys/.gitignore'), 'utf8')).toBe('*.pem\n');
  expect(trusted).toContain('BEGIN PUBLIC KEY');
  const [message, privateKey] = [Buffer.from('a release'), readFileSync(file, 'utf8')];
  const signature = sign('sha256', message, privateKey);
  expect(sign('sha256', message, privateKey).equals(signature), 'the same release gives the same signature').toBe(true);
  expect(verify('sha256', message, createPublicKey(trusted), signature)).toBe(true);

  expect(await osbuild('recipes', '--json')).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('update-keys') });
  expect(await osbuild('key', 'new', 'release-2026')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('there is a key release-2026 already') });
  expect(readFileSync(file, 'utf8')).toBe(privateKey);
});

test.each([
  [['key', 'old', 'a'], 'osbuild key new <name>'],
  [['key', 'new', '../../etc/passwd'], 'is no name of a key'],
])('%j is refused', async (words, complaint) => {
  expect(await osbuild(...words)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(complaint) });
});

test('a key that cannot be read is told before anything is built', async () => {
  writeFileSync(join(folder, 'build.config.yaml'), 'base: osbuild\nupdates: { signWith: [keys/missing.pem] }\n');
  expect(await osbuild('image', '--machine', 'qemuarm64', '--dry-run')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('keys/missing.pem cannot be read as a key') });
});
