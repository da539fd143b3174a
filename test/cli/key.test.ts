import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

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

describe('keys of Secure Boot', () => {
  const place = (): string => join(folder, 'keys/secure-boot');
  const config = (key = 'db.pem', certificate = 'db.crt', enroll = 'enroll'): void =>
    writeFileSync(join(folder, 'build.config.yaml'), `base: osbuild\nsecureBoot: { key: keys/secure-boot/${key}, certificate: keys/secure-boot/${certificate}, enroll: keys/secure-boot/${enroll} }\n`);

  beforeAll(() => cpSync(join(home, 'machines/locks/genericx86-64.lock.json'), join(folder, 'machines/locks/genericx86-64.lock.json')));

  test('are made once, private ones for their owner alone, and a build plans to sign with them', async () => {
    writeFileSync(join(folder, 'build.config.yaml'), 'base: osbuild\n');
    expect(await osbuild('key', 'secure-boot')).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('key: keys/secure-boot/db.pem') });
    for (const name of ['PK', 'KEK', 'db']) {
      expect(statSync(join(place(), `${name}.pem`)).mode & 0o777).toBe(0o600);
      expect(readFileSync(join(place(), `${name}.crt`), 'utf8')).toContain('BEGIN CERTIFICATE');
    }
    const before = readFileSync(join(place(), 'db.pem'), 'utf8');
    expect(await osbuild('key', 'secure-boot')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('there is a set of keys of Secure Boot already') });
    expect(readFileSync(join(place(), 'db.pem'), 'utf8')).toBe(before);
    config();
    const planned = await osbuild('image', '--machine', 'genericx86-64', '--locked', '--dry-run');
    expect(planned, planned.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('signed kernel of genericx86-64') });
    expect(`${planned.stdout}${planned.stderr}`).not.toContain('PRIVATE KEY');
  });

  test.each<[string, () => void, string]>([
    ['a key that is missing', () => config('none.pem'), 'none.pem cannot be read as a key'],
    ['a certificate that is none', () => config('db.pem', 'db.pem'), 'db.pem cannot be read as a certificate'],
    ['a certificate of another key', () => config('db.pem', 'KEK.crt'), 'is not that of secureBoot.key'],
    ['a folder without the files for the firmware', () => config('db.pem', 'db.crt', '.'), 'lacks PK.auth, KEK.auth, db.auth'],
    ['a folder that is missing', () => config('db.pem', 'db.crt', 'none'), 'keys/secure-boot/none'],
    ['a key of another kind than firmware knows', () => { writeFileSync(join(place(), 'ec.pem'), generateKeyPairSync('ec', { namedCurve: 'P-256', privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } }).privateKey); config('ec.pem'); }, 'is a key of type ec'],
  ])('%s is told before anything is built', async (_, given, complaint) => {
    given();
    expect(await osbuild('image', '--machine', 'genericx86-64', '--locked', '--dry-run')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(complaint) });
  });

  test('are asked for by the suite that tries them', async () => {
    writeFileSync(join(folder, 'build.config.yaml'), 'base: osbuild\n');
    expect(await osbuild('test', '--machine', 'genericx86-64', '--suite', 'secure-boot', '--locked')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('osbuild key secure-boot') });
  });
});
