import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { createHttpClient } from '../../src/http/index.ts';
import { addReferrer, openRepository, parseImageName, type Blob, type Login, type Repository } from '../../src/registry/index.ts';
import { openRegistry, type TestRegistry } from '../engine/support/registry.ts';
import { noise } from '../support/release.ts';

let folder = '';
let registry: TestRegistry;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'osbuild-registry-'))));
afterEach(async () => {
  await registry.close();
  rmSync(folder, { recursive: true, force: true });
});

const digestOf = (data: Buffer | string): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;
const blobOf = (data: Buffer): Blob => ({ digest: digestOf(data), sizeBytes: data.length, open: (from) => Readable.from([data.subarray(from)], { objectMode: false }) });
const client = createHttpClient({ http: null, https: null }, { connections: 4, stallTimeoutMs: 5000 });

async function repository(options: Parameters<typeof openRegistry>[0] = {}, { login = null, push = true }: { login?: Login | null; push?: boolean } = {}): Promise<Repository> {
  registry = await openRegistry(options);
  return openRepository(parseImageName(`${registry.address}/team/os`), { client, login, insecure: false, push, signal: new AbortController().signal, retryDelaysMs: [1, 1] });
}

const user = { user: 'me', password: 'pass:word' };
const known: Login = { username: 'me', password: 'pass:word' };

test.each([['basic'], ['token']] as const)('a login is shown where it is asked for (%s), and again when a token has run out', async (kind) => {
  const there = await repository({ auth: { kind, ...user } }, { login: known });
  const data = noise(3_000_000, 'one');
  expect(await there.put(blobOf(data), () => undefined)).toBe(true);
  registry.expireTokens();
  expect(await there.put(blobOf(data), () => undefined)).toBe(false);
  expect(registry.blobOf('team/os', digestOf(data))?.equals(data)).toBe(true);
});

test('without a login, with a wrong one, and with one that may not push, it is said what to do', async () => {
  const auth = { kind: 'token', ...user } as const;
  const put = async (options: Parameters<typeof openRegistry>[0], login: Login | null): Promise<unknown> => {
    const failure: unknown = await repository(options, { login }).then((there) => there.put(blobOf(noise(10, 'x')), () => undefined)).catch((error: unknown) => error);
    await registry.close();
    return failure;
  };
  expect(await put({ auth }, null)).toMatchObject({ code: 'OSB_REGISTRY', hint: expect.stringContaining('docker login 127.0.0.1') });
  expect(await put({ auth }, { username: 'me', password: 'no' })).toMatchObject({ code: 'OSB_REGISTRY', hint: expect.stringContaining('does not take the login') });
  expect(await put({ auth: { ...auth, readOnly: true } }, known)).toMatchObject({ code: 'OSB_REGISTRY' });
  await openRegistry().then((other) => (registry = other));
});

test('an upload goes on where it was cut off', async () => {
  const there = await repository();
  const data = noise(3_000_000, 'cut');
  let cuts = 2;
  registry.fault = ({ method }) => (method === 'PATCH' && cuts-- > 0 ? { cutUploadAfterBytes: 1_000_000 } : undefined);
  await there.put(blobOf(data), () => undefined);
  expect(registry.blobOf('team/os', digestOf(data))?.equals(data)).toBe(true);
  expect(registry.receivedBytes(), 'each byte once').toBe(data.length);
});

test('an upload that the registry has lost begins anew', async () => {
  const there = await repository();
  const data = noise(2_000_000, 'lost');
  let lose = true;
  registry.fault = ({ method }) => {
    if (method !== 'PATCH' || !lose) return undefined;
    lose = false;
    return { loseUpload: true };
  };
  await there.put(blobOf(data), () => undefined);
  expect(registry.blobOf('team/os', digestOf(data))?.equals(data)).toBe(true);
});

test('failures that pass are waited out, others are said at once', async () => {
  const there = await repository();
  let failures = 2;
  registry.fault = () => (failures-- > 0 ? { status: 503 } : undefined);
  expect(await there.put(blobOf(noise(100, 'a')), () => undefined)).toBe(true);
  registry.fault = () => ({ status: 503 });
  await expect(there.tags()).rejects.toMatchObject({ code: 'OSB_REGISTRY', message: expect.stringContaining('503'), hint: expect.stringContaining('run it again later') });
  const before = registry.requests.length;
  registry.fault = () => ({ status: 403 });
  await expect(there.tags()).rejects.toMatchObject({ code: 'OSB_REGISTRY' });
  expect(registry.requests.length - before).toBe(1);
});

test('all pages of tags are read; a repository that is not there has none', async () => {
  const there = await repository();
  expect(await there.tags()).toEqual([]);
  for (const tag of ['a', 'b', 'c']) registry.putManifest('team/os', tag, { mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] });
  expect(await there.tags()).toEqual(['a', 'b', 'c']);
});

test('a blob is loaded on from what is there, and one with other bytes is refused', async () => {
  const there = await repository();
  const data = noise(500_000, 'blob');
  const { digest } = registry.putBlob(data);
  const file = join(folder, 'blob');
  writeFileSync(file, data.subarray(0, 200_000));
  await there.load({ mediaType: '', digest, sizeBytes: data.length }, file, () => undefined);
  expect(readFileSync(file).equals(data)).toBe(true);
  expect(registry.blobRequests().map(({ range }) => range)).toEqual(['bytes=200000-']);
  registry.fault = () => ({ corruptByte: 7 });
  await expect(there.load({ mediaType: '', digest, sizeBytes: data.length }, join(folder, 'other'), () => undefined)).rejects.toMatchObject({ code: 'OSB_HASH_MISMATCH' });
  registry.fault = () => undefined;
  await expect(there.load({ mediaType: '', digest: digestOf('absent'), sizeBytes: 6 }, join(folder, 'third'), () => undefined)).rejects.toMatchObject({ code: 'OSB_REGISTRY', message: expect.stringContaining('the registry lacks') });
});

test('a manifest whose bytes are not those of its digest is refused', async () => {
  const there = await repository();
  const digest = digestOf('something else');
  registry.putManifest('team/os', digest, { mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] });
  await expect(there.manifest(digest)).rejects.toThrow('something else as');
  expect(await there.manifest('absent')).toBeNull();
});

test('a list of referrers keeps what others have put there, and has each once', async () => {
  const there = await repository();
  const text = JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] });
  const { digest, sizeBytes } = await there.putManifest('one', { mediaType: 'application/vnd.oci.image.index.v1+json', text });
  const subject = digestOf('subject');
  const strange = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: sizeBytes, artifactType: 'x/y', odd: ['kept'] };
  registry.putManifest('team/os', subject.replace(':', '-'), { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [strange] });
  const second = await there.putManifest('two', { mediaType: 'application/vnd.oci.image.index.v1+json', text: `${text} ` });
  const referrer = { mediaType: 'application/vnd.oci.image.manifest.v1+json', ...second, artifactType: 'a/b', annotations: { from: 'here' } };
  for (let time = 0; time < 2; time += 1) await addReferrer(there, subject, referrer);
  const { manifests } = JSON.parse(registry.manifestOf('team/os', subject.replace(':', '-'))?.data.toString() ?? '{}') as { manifests: unknown[] };
  expect(manifests).toEqual([strange, { mediaType: referrer.mediaType, digest: second.digest, size: second.sizeBytes, artifactType: 'a/b', annotations: { from: 'here' } }]);
});
