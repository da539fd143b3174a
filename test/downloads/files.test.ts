import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDownloadExecutors, planFiles, type FileFetchSettings } from '../../src/downloads/index.ts';
import type { FileByUrl } from '../../src/model/index.ts';
import { startFaultyServer, type FaultyServer } from '../support/faulty-server.ts';
import { providerBuild, type ProviderBuild } from '../support/provider-build.ts';

let folder: string;
let server: FaultyServer;
let mirror: string;
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'osbuild-files-'));
  mirror = path.join(folder, 'mirror');
  mkdirSync(mirror);
  server = await startFaultyServer();
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const digest = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

/** A file at its maker's. */
function made(name: string, content = randomBytes(100_000)): FileByUrl & { content: Buffer } {
  server.files.set(`/maker/${name}`, content);
  return { name, url: `${server.url}/maker/${name}`, sha256: digest(content), content };
}

function build(settings: Partial<FileFetchSettings> = {}, cache = 'cache'): ProviderBuild {
  const executors = createDownloadExecutors({ mirrors: [], proxies: () => ({ http: null, https: null }), connections: 2, stallTimeoutMs: 1500, retryDelaysMs: [10, 20], ...settings });
  return providerBuild(path.join(folder, cache), { extra: executors });
}

async function fetch(files: FileByUrl[], using = build()): Promise<Map<string, Buffer>> {
  const task = planFiles('files', 'files', files);
  if (task === null) throw new Error('no task');
  const paths = await using.run([task], ['files']);
  return new Map([...paths].map(([output, file]) => [output.replace('files/', ''), readFileSync(file)]));
}

const notices = (using: ProviderBuild): string[] => using.events.flatMap((event) => (event.type === 'notice' ? [event.code] : []));

describe('files by address and SHA-256', () => {
  test('are fetched once, whatever task asks for them next, and verified', async () => {
    const files = [made('bl1.bin'), made('bl2.bin')];
    const got = await fetch(files);
    for (const { sha256, content } of files) expect(got.get(sha256)?.equals(content)).toBe(true);
    server.requests.length = 0;
    await fetch([...files.slice(0, 1), made('tzsw.bin'), { ...files[1], name: 'other-name.bin' } as FileByUrl]);
    expect(server.requests).toEqual(['GET /maker/tzsw.bin']);
  });

  test('another file than promised: its sum, nothing kept, nothing used', async () => {
    const file = made('bl1.bin');
    const wrong = randomBytes(5000);
    server.files.set('/maker/bl1.bin', wrong);
    await expect(fetch([file])).rejects.toMatchObject({ code: 'OSB_HASH_MISMATCH', message: expect.stringContaining(`bl1.bin from ${file.url} has the SHA-256 ${digest(wrong)}, and not ${file.sha256}.`), hint: expect.stringContaining('changed at its address') });
    server.files.set('/maker/bl1.bin', file.content);
    expect((await fetch([file])).get(file.sha256)?.equals(file.content)).toBe(true);
  });

  test('a file that its maker has no longer: where to keep it, and under which name', async () => {
    const file = made('bl1.bin');
    server.files.clear();
    await expect(fetch([file])).rejects.toMatchObject({ code: 'OSB_DOWNLOAD_FAILED', message: expect.stringContaining(`bl1.bin cannot be had: ${file.url}: 404`), hint: expect.stringContaining(`keep the file as ${file.sha256} in a folder that files.mirrors`) });
  });

  test('a body that ends early is gone on with; one that always does is given up, and gone on with by the next build', async () => {
    const file = made('bl1.bin');
    server.faults.set('/maker/bl1.bin', [{ kind: 'drop', afterBytes: 40_000 }, { kind: 'status', status: 503 }]);
    await fetch([file]);
    expect(server.requests).toEqual(['GET /maker/bl1.bin', 'GET /maker/bl1.bin bytes=40000-', 'GET /maker/bl1.bin bytes=40000-']);
    const other = made('bl2.bin');
    server.faults.set('/maker/bl2.bin', [{ kind: 'drop', afterBytes: 30_000 }, { kind: 'drop', afterBytes: 0 }, { kind: 'drop', afterBytes: 0 }, { kind: 'drop', afterBytes: 0 }]);
    await expect(fetch([other])).rejects.toMatchObject({ code: 'OSB_DOWNLOAD_FAILED', message: expect.stringContaining('Cannot download bl2.bin: '), hint: expect.stringContaining('files.mirrors') });
    server.requests.length = 0;
    expect((await fetch([other])).get(other.sha256)?.equals(other.content)).toBe(true);
    expect(server.requests).toEqual(['GET /maker/bl2.bin bytes=30000-']);
  });

  test('redirects are followed, not for ever', async () => {
    const file = made('bl1.bin');
    server.faults.set('/latest', [{ kind: 'redirect', location: '/maker/bl1.bin' }]);
    expect((await fetch([{ ...file, url: `${server.url}/latest` }])).get(file.sha256)?.equals(file.content)).toBe(true);
    server.faults.set('/round', Array.from({ length: 20 }, () => ({ kind: 'redirect' as const, location: '/round' })));
    await expect(fetch([{ ...made('b'), url: `${server.url}/round` }])).rejects.toMatchObject({ code: 'OSB_DOWNLOAD_FAILED', message: expect.stringContaining('more than 5 redirects') });
  });

  test('proxies are those of the host that is asked', async () => {
    const file = { ...made('bl1.bin'), url: 'http://maker.invalid/maker/bl1.bin' };
    const asked: string[] = [];
    await fetch([file], build({ proxies: (host) => (asked.push(host), { http: server.url, https: null }) }));
    expect(asked).toEqual(['maker.invalid']);
    expect(server.requests).toEqual(['GET proxied /maker/bl1.bin']);
  });
});

describe('mirrors of such files', () => {
  test('a folder serves without any network, and may change afterwards', async () => {
    const file = made('bl1.bin');
    writeFileSync(path.join(mirror, file.sha256), file.content);
    const offline = { ...file, url: 'http://maker.invalid/bl1.bin' };
    const got = await fetch([offline], build({ mirrors: [mirror] }));
    writeFileSync(path.join(mirror, file.sha256), 'changed');
    expect(got.get(file.sha256)?.equals(file.content)).toBe(true);
    expect((await fetch([offline])).get(file.sha256)?.equals(file.content)).toBe(true);
    expect(server.requests).toEqual([]);
  });

  test('a server has them under their SHA-256; one that lacks a file is passed over in silence', async () => {
    const [here, elsewhere] = [made('bl1.bin'), made('bl2.bin')];
    server.files.set(`/mirror/${here.sha256}`, here.content);
    server.files.delete('/maker/bl1.bin');
    const using = build({ mirrors: [path.join(folder, 'nowhere'), `${server.url}/mirror/`] });
    await fetch([here, elsewhere], using);
    expect(server.requests.toSorted()).toEqual([`GET /maker/bl2.bin`, ...[here, elsewhere].map(({ sha256 }) => `GET /mirror/${sha256}`).toSorted()]);
    expect(notices(using)).toEqual([]);
  });

  test('wrong files of mirrors are told and passed over', async () => {
    const file = made('bl1.bin');
    writeFileSync(path.join(mirror, file.sha256), 'wrong');
    server.files.set(`/mirror/${file.sha256}`, Buffer.from('wrong, too'));
    const using = build({ mirrors: [mirror, `${server.url}/mirror`] });
    expect((await fetch([file], using)).get(file.sha256)?.equals(file.content)).toBe(true);
    expect(notices(using)).toEqual(['FILE_MIRROR_WRONG', 'FILE_MIRROR_WRONG']);
  });

  test('when nobody has it, each place is named', async () => {
    const file = made('bl1.bin');
    writeFileSync(path.join(mirror, file.sha256), 'wrong');
    server.files.clear();
    await expect(fetch([file], build({ mirrors: [mirror, `${server.url}/mirror`] }))).rejects.toMatchObject({
      code: 'OSB_DOWNLOAD_FAILED',
      message: expect.stringMatching(new RegExp(`bl1\\.bin cannot be had: ${mirror}/${file.sha256} has the SHA-256 \\w+; \\S+/mirror/${file.sha256}: 404; ${file.url}: 404$`)),
    });
  });
});
