import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BuildEvent, DebianRequest } from '../../../../src/model/index.ts';
import { ensureLock, readLock, type LockPorts, type LockWish } from '../../../../src/providers/debian/index.ts';
import { canMakeArchives, makeArchive, type TestArchive, type TestPackage, type TestSource } from '../../../support/debian-archive.ts';
import { startFaultyServer, type FaultyServer } from '../../../support/faulty-server.ts';
import { hostRun } from '../../../support/host-run.ts';

let folder: string;
let keys: string;
let server: FaultyServer;
let archive: TestArchive;
let events: BuildEvent[];
let stored: Set<string>;

const packages: TestPackage[] = [
  { name: 'tool', version: '1:2.0~rc1+b1', architecture: 'armhf', fields: { Depends: 'libtool5 (>= 1), debconf (>= 0.5) | debconf-2.0', Recommends: 'never' } },
  { name: 'libtool5', version: '1.4', architecture: 'armhf' },
  { name: 'never', architecture: 'armhf' },
  { name: 'data' },
  { name: 'loader', architecture: 'arm64', fields: { Depends: 'missing-one' } },
  { name: 'kernel', architecture: 'arm64', fields: { Depends: 'kmod, linux-base (>= 4), initramfs-tools | linux-initramfs-tool' } },
  { name: 'only-amd64', architecture: 'amd64' },
  { name: 'broken', architecture: 'armhf', fields: { Depends: 'libtool5 (>= 9)' } },
  { name: 'data', version: '0.9+deb1', suite: '-security' },
  { name: 'mawk', architecture: 'armhf', fields: { Provides: 'awk' } },
];

beforeAll(() => {
  keys = mkdtempSync(path.join(tmpdir(), 'osbuild-keys-'));
});
afterAll(() => rmSync(keys, { recursive: true, force: true }));

beforeEach(async (context) => {
  if (!canMakeArchives()) context.skip('gpg, which signs the test archive, is not installed');
  folder = mkdtempSync(path.join(tmpdir(), 'osbuild-lock-'));
  server = await startFaultyServer();
  events = [];
  stored = new Set();
  publish(packages);
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

function publish(content: TestPackage[], sources: TestSource[] = []): void {
  archive = makeArchive(folder, keys, content, 'trixie', sources);
  server.files.clear();
  for (const [place, bytes] of archive.files) {
    server.files.set(`/debian/${place}`, bytes);
    server.files.set(`/debian-security/${place}`, bytes);
  }
}

const request: DebianRequest = { architecture: 'armhf', foreign: ['arm64'], packages: ['tool', 'data'], sets: { kernel: { packages: ['kernel:arm64'], dependencies: true }, bootLoader: { packages: ['loader:arm64'], dependencies: false } } };

function ports(change: Partial<LockPorts> = {}): LockPorts {
  return {
    run: hostRun,
    apt: () => Promise.resolve({ archives: { main: `${server.url}/debian`, security: `${server.url}/debian-security` }, proxies: { http: null, https: null }, options: ['Acquire::Retries "0";'] }),
    cacheFolder: path.join(folder, 'cache'),
    keyring: archive.keyring,
    emit: (event) => events.push(event),
    signal: new AbortController().signal,
    has: (sha256) => Promise.resolve(stored.has(sha256)),
    ...change,
  };
}

const wish = (change: Partial<LockWish> = {}): LockWish => ({ title: 'machine x', request, suite: 'trixie', components: ['main'], file: path.join(folder, 'x.lock.json'), locked: false, update: false, ...change });
const codes = (): string[] => events.flatMap((event) => (event.type === 'notice' ? [event.code] : []));
const only = (packages_: string[]): LockWish => wish({ request: { architecture: 'armhf', foreign: [], packages: packages_ }, askedBy: new Map(packages_.map((name) => [name, ['recipe r']])) });

describe('locks', () => {
  test('apt chooses versions and dependencies; sets of foreign architectures are apart; scripts need nothing', async () => {
    const { lock, refreshed } = await ensureLock(wish({ update: true }), ports());
    expect(refreshed).toBe(true);
    expect(lock.packages.map(({ name, version, architecture, sets }) => `${name} ${version} ${architecture} ${sets?.join() ?? ''}`.trim())).toEqual([
      'data 1.0 all',
      'kernel 1.0 arm64 kernel',
      'libtool5 1.4 armhf',
      'loader 1.0 arm64 bootLoader',
      'tool 1:2.0~rc1+b1 armhf',
    ]);
    const text = readFileSync(path.join(folder, 'x.lock.json'), 'utf8');
    expect(text).not.toContain('127.0.0.1');
    expect(text.split('\n').filter((line) => line.includes('"sha256"'))).toHaveLength(5);
    expect(await readLock(path.join(folder, 'x.lock.json'))).toEqual(lock);
  });

  test('source packages are locked with their archives, and count where the mirror is asked what it still has', async () => {
    const files = { 'loader_2.0-1.dsc': 'a', 'loader_2.0.orig.tar.xz': 'bb', 'loader_2.0.orig.tar.xz.asc': 'sig', 'loader_2.0-1.debian.tar.xz': 'ccc' };
    publish(packages, [{ name: 'loader', version: '2.0-1', files }]);
    const wanted = wish({ request: { ...request, sources: ['loader'] } });
    const { lock } = await ensureLock({ ...wanted, update: true }, ports());
    expect(lock.sources).toEqual([{ name: 'loader', version: '2.0-1', files: expect.any(Array) }]);
    expect(lock.sources?.[0]?.files.map(({ filename, sizeBytes, archive: from }) => `${from} ${filename} ${sizeBytes}`).toSorted()).toEqual([
      'main pool/main/loader/loader_2.0-1.debian.tar.xz 3',
      'main pool/main/loader/loader_2.0.orig.tar.xz 2',
    ]);
    expect(await readLock(wanted.file)).toEqual(lock);
    expect(await ensureLock(wanted, ports())).toEqual({ lock, refreshed: false });
    server.files.delete('/debian/pool/main/loader/loader_2.0.orig.tar.xz');
    await expect(ensureLock({ ...wanted, locked: true }, ports())).rejects.toMatchObject({ code: 'OSB_LOCK_STALE', message: expect.stringContaining('loader 2.0-1') });
    await expect(ensureLock(wish({ request: { ...request, sources: ['loder'] }, askedBy: new Map([['loder', ['machine x']]]), update: true }), ports())).rejects.toMatchObject({
      code: 'OSB_PACKAGE_MISSING',
      message: 'There is no source package loder in Debian trixie (asked for by machine x).',
    });
  });

  describe('headers of the kernel', () => {
    const kernel: TestPackage = { name: 'linux-image-1', architecture: 'arm64', fields: { Depends: 'kmod' } };
    const wanted = (): LockWish => wish({ request: { ...request, sets: { kernel: { packages: ['linux-image-1:arm64'], dependencies: true }, kernelHeaders: { packages: ['linux-headers-1:arm64'], dependencies: true, optional: true } } }, update: true });
    const headersOf = async (): Promise<string[]> => (await ensureLock(wanted(), ports())).lock.packages.filter(({ sets }) => sets?.includes('kernelHeaders')).map(({ name, architecture }) => `${name} ${architecture}`);

    test('come with what of them is common and with their programs, which are for where the kernel runs; never with a compiler', async () => {
      publish([
        ...packages,
        kernel,
        { name: 'linux-headers-1', architecture: 'arm64', fields: { Depends: 'linux-image-1 (= 1.0), linux-headers-1-common, linux-kbuild-1, gcc-14, gcc-later' } },
        { name: 'linux-headers-1-common' },
        ...['arm64', 'armhf'].map((architecture): TestPackage => ({ name: 'linux-kbuild-1', architecture, fields: { 'Multi-Arch': 'foreign', Depends: 'libc6' } })),
        { name: 'gcc-later', architecture: 'arm64' },
      ]);
      expect(await headersOf()).toEqual(['linux-headers-1 arm64', 'linux-headers-1-common all', 'linux-kbuild-1 arm64']);
    });

    test('are left out where the archive has none', async () => {
      publish([...packages, kernel]);
      expect(await headersOf()).toEqual([]);
    });
  });

  describe('a set of another suite', () => {
    const further = (packages_: TestPackage[]): TestPackage[] => packages_.map((item) => ({ ...item, suite: '-backports' }));
    const wanted = (change: Partial<LockWish['request']> = {}): LockWish => wish({ request: { ...request, sets: { ...request.sets, kernel: { packages: ['kernel:arm64'], dependencies: true, suite: 'trixie-backports' } }, ...change } });

    test('takes its packages from there, and what they need where it is; all others stay with the suite', async () => {
      publish([
        ...packages,
        { name: 'firmware', version: '3.0', architecture: 'arm64' },
        ...further([
          { name: 'kernel', version: '2.0', architecture: 'arm64', fields: { Depends: 'kernel-modules (= 2.0), firmware' } },
          { name: 'kernel-modules', version: '2.0', architecture: 'arm64' },
          { name: 'tool', version: '9.0', architecture: 'armhf' },
        ]),
      ]);
      const { lock } = await ensureLock({ ...wanted(), update: true }, ports());
      expect(lock.packages.map(({ name, version, architecture, sets }) => `${name} ${version} ${architecture} ${sets?.join() ?? ''}`.trim())).toEqual([
        'data 1.0 all',
        'firmware 3.0 arm64 kernel',
        'kernel 2.0 arm64 kernel',
        'kernel-modules 2.0 arm64 kernel',
        'libtool5 1.4 armhf',
        'loader 1.0 arm64 bootLoader',
        'tool 1:2.0~rc1+b1 armhf',
      ]);
      expect(await ensureLock(wanted(), ports())).toEqual({ lock, refreshed: false });
      await expect(ensureLock(wish({ request, locked: true }), ports())).rejects.toMatchObject({ code: 'OSB_LOCK_STALE' });
    });

    test('what only the other suite has is not had from there unasked', async () => {
      publish([...packages, ...further([{ name: 'kernel', version: '2.0', architecture: 'arm64' }, { name: 'novelty', architecture: 'armhf' }])]);
      await expect(ensureLock({ ...wanted({ packages: ['novelty'] }), askedBy: new Map([['novelty', ['recipe r']]]), update: true }, ports())).rejects.toMatchObject({ code: 'OSB_PACKAGE_MISSING', message: 'Debian trixie has no package novelty for armhf (asked for by recipe r).' });
      publish([...packages.filter(({ name }) => name !== 'libtool5'), ...further([{ name: 'kernel', version: '2.0', architecture: 'arm64' }, { name: 'libtool5', version: '1.4', architecture: 'armhf' }])]);
      await expect(ensureLock({ ...wanted(), update: true }, ports())).rejects.toMatchObject({ code: 'OSB_PACKAGE_MISSING', message: expect.stringContaining('libtool5') });
    });

    test('a package that the other suite does not have, and a suite that the mirror does not have, are said to be so', async () => {
      publish([...packages, ...further([{ name: 'kernal', version: '2.0', architecture: 'arm64' }])]);
      await expect(ensureLock({ ...wanted(), update: true }, ports())).rejects.toMatchObject({ code: 'OSB_PACKAGE_MISSING', message: expect.stringMatching(/^Debian trixie-backports has no package kernel for arm64/), hint: 'Did you mean kernal?' });
      publish(packages);
      await expect(ensureLock({ ...wanted(), update: true }, ports({ cacheFolder: path.join(folder, 'other') }))).rejects.toMatchObject({ code: 'OSB_DOWNLOAD_FAILED', message: expect.stringMatching(/has no suite trixie-backports\.$/), hint: expect.stringContaining('kernel.debian.suite') });
    });
  });

  test('a lock whose packages are in the store is used without any network', async () => {
    const { lock } = await ensureLock(wish({ update: true }), ports());
    for (const { sha256 } of lock.packages) stored.add(sha256);
    await server.close();
    expect(await ensureLock(wish(), ports({ apt: () => Promise.reject(new Error('asked the host')) }))).toEqual({ lock, refreshed: false });
    expect(await ensureLock(wish({ locked: true }), ports())).toEqual({ lock, refreshed: false });
  });

  test('a package that left the mirror: resolved anew into the cache with a notice, an error with --locked', async () => {
    const { lock: old } = await ensureLock(wish({ update: true }), ports());
    publish([...packages.filter(({ name }) => name !== 'libtool5'), { name: 'libtool5', version: '1.5', architecture: 'armhf' }]);
    await expect(ensureLock(wish({ locked: true }), ports())).rejects.toMatchObject({ code: 'OSB_LOCK_STALE', message: expect.stringContaining('libtool5 1.4') });
    const { lock, refreshed } = await ensureLock(wish(), ports());
    expect(refreshed).toBe(true);
    expect(lock.packages.find(({ name }) => name === 'libtool5')?.version).toBe('1.5');
    expect(codes()).toEqual(['DEBIAN_LOCK_REFRESHED']);
    expect(await readLock(path.join(folder, 'x.lock.json'))).toEqual(old);
    // The next build finds what was resolved, without asking apt again.
    for (const { sha256 } of lock.packages) stored.add(sha256);
    expect(await ensureLock(wish(), ports({ run: () => Promise.reject(new Error('ran apt')) }))).toEqual({ lock, refreshed: true });
    expect(codes()).toHaveLength(1);
  });

  test('a request that the lock was not made for', async () => {
    await ensureLock(wish({ update: true }), ports());
    const other = wish({ request: { ...request, packages: ['tool', 'data', 'mawk'] } });
    await expect(ensureLock({ ...other, locked: true }, ports())).rejects.toMatchObject({ code: 'OSB_LOCK_STALE', message: expect.stringContaining('other packages') });
    const { lock } = await ensureLock(other, ports());
    expect(lock.packages.map(({ name }) => name)).toContain('mawk');
    await expect(ensureLock({ ...wish({ file: path.join(folder, 'none.json') }), locked: true }, ports())).rejects.toMatchObject({ code: 'OSB_LOCK_STALE', hint: expect.stringContaining('osbuild lock') });
  });

  test('a damaged lock file says what to do', async () => {
    writeFileSync(path.join(folder, 'x.lock.json'), '<<<<<<< ours\n');
    await expect(ensureLock(wish(), ports())).rejects.toMatchObject({ code: 'OSB_LOCK_STALE', hint: expect.stringContaining('--update') });
  });

  test('a package that does not exist for the architecture: who asked, which architectures have it, what is near', async () => {
    await expect(ensureLock(only(['only-amd64']), ports())).rejects.toMatchObject({ code: 'OSB_PACKAGE_MISSING', message: expect.stringMatching(/only-amd64 for armhf \(asked for by recipe r\)/), hint: expect.stringContaining('exists for amd64 only') });
    await expect(ensureLock(only(['libtol5']), ports())).rejects.toMatchObject({ code: 'OSB_PACKAGE_MISSING', hint: 'Did you mean libtool5?' });
    await expect(ensureLock(only(['awk']), ports())).rejects.toMatchObject({ code: 'OSB_PACKAGE_MISSING', hint: expect.stringContaining('virtual package: name one of those that provide it, such as mawk') });
    // A name that apt would take for a pattern.
    await expect(ensureLock(only(['to.l']), ports())).rejects.toMatchObject({ code: 'OSB_PACKAGE_MISSING', hint: 'Did you mean tool?' });
  });

  test('dependencies that cannot be had: apt is quoted', async () => {
    await expect(ensureLock(only(['broken']), ports())).rejects.toMatchObject({ code: 'OSB_PACKAGE_MISSING', message: expect.stringMatching(/broken : Depends: libtool5 \(>= 9\)/) });
  });

  test('indexes signed by another key are refused', async () => {
    const other = mkdtempSync(path.join(tmpdir(), 'osbuild-key-'));
    const { keyring } = makeArchive(other, other, []);
    await expect(ensureLock(wish(), ports({ keyring }))).rejects.toMatchObject({ code: 'OSB_SIGNATURE_INVALID', hint: expect.stringContaining('debian.keyring') });
    rmSync(other, { recursive: true });
  });

  test('a tampered index of the suite is refused', async () => {
    const place = '/debian/dists/trixie/main/binary-armhf/Packages';
    server.files.set(place, Buffer.concat([server.files.get(place) ?? Buffer.alloc(0), Buffer.from('\n')]));
    await expect(ensureLock(wish(), ports())).rejects.toMatchObject({ code: 'OSB_DOWNLOAD_FAILED' });
  });

  test('a mirror in the middle of an update: security is left out with a notice', async () => {
    server.files.set('/debian-security/dists/trixie-security/main/binary-armhf/Packages', Buffer.from('Package: half\n'));
    const { lock } = await ensureLock(wish(), ports());
    expect(lock.packages.map(({ name }) => name)).toContain('tool');
    expect(events.find((event) => event.type === 'notice' && event.code === 'DEBIAN_INDEX_SKIPPED')).toMatchObject({ message: expect.stringContaining('trixie-security main armhf') });
  });

  test('a mirror that is down: OSB_DOWNLOAD_FAILED with a hint; with indexes of an earlier day they serve', async () => {
    const down = (): LockPorts => ports({ apt: () => Promise.resolve({ archives: { main: 'http://127.0.0.1:1/debian', security: 'http://127.0.0.1:1/debian-security' }, proxies: { http: null, https: null }, options: ['Acquire::Retries "0";'] }) });
    await expect(ensureLock(wish(), down())).rejects.toMatchObject({ code: 'OSB_DOWNLOAD_FAILED', hint: expect.stringContaining('proxy') });
    await ensureLock(wish({ update: true }), ports());
    await server.close();
    const { lock } = await ensureLock(wish({ request: { ...request, packages: ['data'] } }), ports());
    expect(lock.packages.map(({ name }) => name)).toEqual(['data', 'kernel', 'loader']);
    expect(codes()).toContain('DEBIAN_INDEX_OLD');
  });

  test("nothing is left in the host's apt folders", async () => {
    const before = readdirSync('/var/lib/apt/lists').join();
    await ensureLock(wish({ update: true }), ports());
    expect(readdirSync('/var/lib/apt/lists').join()).toBe(before);
  });
});
