import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { lacks, preflight } from '../../../src/providers/yocto/index.ts';
import { checkBitbake, checkLayers } from '../../../src/providers/yocto/layers/series.ts';
import type { Lack } from '../../../src/providers/yocto/preflight.ts';
import { home } from './support.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'osbuild-preflight-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text, { mode });
}

/** A program of the host that is made up here; `text` is a shell script that needs no other program. */
const program = (name: string, text = ''): void => write(`bin/${name}`, `#!/bin/sh\n${text}\n`, 0o755);
const python = (version: string, otherwise = ''): void => program('python3', `case "$2" in *version_info*) echo ${version};; *) ${otherwise || ':'};; esac`);
const locales = (...names: string[]): void => program('locale', names.map((name) => `echo ${name}`).join('\n'));
const limits = (watches: number, instances: number): void => {
  write('proc/sys/fs/inotify/max_user_watches', `${watches}\n`);
  write('proc/sys/fs/inotify/max_user_instances', `${instances}\n`);
};

const options = (more: object = {}) => ({ hostEnvironment: { PATH: join(folder, 'bin') }, folder: join(folder, 'cache'), uid: 1000, diskBytes: 1, proc: join(folder, 'proc'), ...more });
const found = (more: object = {}): Promise<Lack[]> => lacks(options(more));

/** Every program that is asked for, with its remedy, as a host without any is told. */
async function wanted(): Promise<Array<{ name: string; remedy: string }>> {
  const all = await lacks({ ...options(), hostEnvironment: { PATH: join(folder, 'nothing') } });
  return all.flatMap(({ what, remedy }) => (what.startsWith('the program ') ? [{ name: what.slice('the program '.length), remedy }] : []));
}

/** A host that has everything; tests take from it. */
async function makeHost(): Promise<Array<{ name: string; remedy: string }>> {
  const all = await wanted();
  for (const { name } of all) program(name);
  python('3.11');
  locales('C', 'en_US.utf8', 'POSIX');
  limits(100_000, 128);
  return all;
}

describe('a host that is made up', () => {
  test('lacks nothing when everything is there', async () => {
    await makeHost();
    expect(await found()).toEqual([]);
    await expect(preflight(options())).resolves.toBeUndefined();
  });

  test('each program that is taken away is named, with the package that has it, and nothing else is', { timeout: 60_000 }, async () => {
    const all = await makeHost();
    expect(all.length).toBeGreaterThan(40);
    for (const { name, remedy } of all) {
      const text = readFileSync(join(folder, 'bin', name), 'utf8');
      rmSync(join(folder, 'bin', name));
      expect(await found()).toEqual([{ what: `the program ${name}`, remedy }]);
      expect(remedy).toMatch(/^apt install [a-z0-9+.-]+$/);
      write(`bin/${name}`, text, 0o755);
    }
    const packages = Object.fromEntries(all.map(({ name, remedy }) => [name, remedy.slice('apt install '.length)]));
    expect(packages).toMatchObject({ chrpath: 'chrpath', diffstat: 'diffstat', gawk: 'gawk', cpio: 'cpio', lz4c: 'lz4', pzstd: 'zstd', rpcgen: 'rpcsvc-proto', 'g++': 'g++', git: 'git', python3: 'python3', ld: 'binutils', unshare: 'util-linux' });
  });

  test('a program that may not be run is as good as none', async () => {
    await makeHost();
    rmSync(join(folder, 'bin/chrpath'));
    write('bin/chrpath', '#!/bin/sh\n');
    expect(await found()).toEqual([{ what: 'the program chrpath', remedy: 'apt install chrpath' }]);
  });

  test.each(['2.7', '3.7'])('Python %s is too old', async (version) => {
    await makeHost();
    python(version);
    expect(await found()).toEqual([{ what: `Python 3.8 or newer (found ${version})`, remedy: expect.stringContaining('buildtools') }]);
  });

  test('Python 3.8 is not', async () => {
    await makeHost();
    python('3.8');
    expect(await found()).toEqual([]);
  });

  test('a module that a slim Python has left out', async () => {
    await makeHost();
    python('3.11', `echo "ModuleNotFoundError: No module named 'sqlite3'" >&2; exit 1`);
    expect(await found()).toEqual([{ what: "Python's module sqlite3", remedy: 'apt install libpython3-stdlib' }]);
  });

  test('the locale that bitbake wants, where there are others or no program that lists them', async () => {
    await makeHost();
    const lack = { what: 'the locale en_US.UTF-8', remedy: expect.stringMatching(/^apt install locales, .*locale-gen$/) };
    locales('C', 'C.utf8', 'de_DE.utf8', 'en_US', 'en_US.iso88591');
    expect(await found()).toEqual([lack]);
    rmSync(join(folder, 'bin/locale'));
    expect(await found()).toEqual([lack]);
    locales('en_US.UTF-8');
    expect(await found()).toEqual([]);
  });

  test('namespaces that are forbidden: what unshare said, and how they are allowed', async () => {
    await makeHost();
    program('unshare', 'echo "unshare: unshare failed: Operation not permitted" >&2; exit 1');
    for (const uid of [0, 1000]) {
      expect(await found({ uid })).toEqual([{ what: 'user and process namespaces (unshare: unshare failed: Operation not permitted)', remedy: expect.stringMatching(/unprivileged_userns_clone=1.*apparmor_restrict_unprivileged_userns=0.*--privileged/) }]);
    }
  });

  test('root, which bitbake refuses, becomes an ordinary user; others stay who they are', async () => {
    await makeHost();
    const asked = join(folder, 'asked');
    program('unshare', `echo "$*" >${asked}`);
    for (const [uid, user] of [[0, 1000], [1234, 1234]]) {
      expect(await found({ uid })).toEqual([]);
      expect(readFileSync(asked, 'utf8')).toContain(`--user --map-user=${user} --map-group=${user} `);
    }
  });

  test('inotify limits, each with the command that raises it', async () => {
    await makeHost();
    limits(8192, 64);
    expect(await found()).toEqual([
      { what: 'inotify: fs.inotify.max_user_watches is 8192', remedy: 'as root: sysctl fs.inotify.max_user_watches=65536' },
      { what: 'inotify: fs.inotify.max_user_instances is 64', remedy: 'as root: sysctl fs.inotify.max_user_instances=128' },
    ]);
  });

  test('disk space: how much there is, and how much is needed', async () => {
    await makeHost();
    expect(await found({ diskBytes: 1e18 })).toEqual([{ what: expect.stringMatching(/^disk space: \d+ GB free for .*cache, bitbake needs 1000000000 GB at least/), remedy: 'free some, or set OSBUILD_CACHE_DIR to a folder on another disk' }]);
  });

  test('all of it is one error: packages in one command, everything else after it', async () => {
    await makeHost();
    for (const name of ['chrpath', 'lz4c', 'pzstd', 'zstd', 'diffstat']) rmSync(join(folder, 'bin', name));
    locales('C');
    limits(8192, 128);
    await expect(preflight(options())).rejects.toMatchObject({
      code: 'OSB_HOST_UNFIT',
      message: 'bitbake cannot run on this host; it lacks the program chrpath; the program diffstat; the program lz4c; the program pzstd; the program zstd; the locale en_US.UTF-8; inotify: fs.inotify.max_user_watches is 8192',
      hint: expect.stringMatching(/^apt install chrpath diffstat lz4 zstd; apt install locales, then .*; as root: sysctl fs\.inotify\.max_user_watches=65536$/),
    });
  });
});

describe('a layer that does not fit', () => {
  const layer = (releases: string): void => write('layers/mine/conf/layer.conf', `BBFILE_COLLECTIONS += "mine"\nLAYERSERIES_COMPAT_mine = "${releases}"\n`);
  const check = (inside = 'mine'): Promise<void> => checkLayers(join(folder, 'layers'), 'meta-mine', [inside], 'scarthgap');

  test('is for another series: which, and what to take', async () => {
    layer('kirkstone langdale');
    await expect(check()).rejects.toMatchObject({ code: 'OSB_LAYER_INVALID', message: 'the layer meta-mine/mine is for kirkstone, langdale, this build for scarthgap', hint: expect.stringContaining('a commit of its branch for scarthgap') });
    layer('nanbield scarthgap');
    await expect(check()).resolves.toBeUndefined();
  });

  test('is not where it should be: those that are there', async () => {
    layer('scarthgap');
    await expect(check('other')).rejects.toMatchObject({ code: 'OSB_LAYER_INVALID', message: expect.stringContaining('there is no other/conf/layer.conf'), hint: 'its layers: mine' });
  });

  test('is no bitbake', async () => {
    await expect(checkBitbake(folder)).rejects.toMatchObject({ code: 'OSB_LAYER_INVALID', hint: expect.stringContaining('yocto.layers.bitbake') });
  });
});

describe('osbuild yocto check-host', { timeout: 60_000 }, () => {
  const checkHost = (...words: string[]) =>
    execa(process.execPath, [join(home, 'src/cli/launch.mjs'), home, 'yocto', 'check-host', ...words], { reject: false, extendEnv: false, env: { PATH: join(folder, 'bin'), HOME: folder, OSBUILD_CACHE_DIR: join(folder, 'cache') } });

  // The standard folders follow on PATH whatever the caller's is, so what this host lacks itself is printed too.
  test('prints each lack with its remedy, and ends with 1', async () => {
    await makeHost();
    locales('C');
    program('unshare', 'echo "unshare: no" >&2; exit 1');
    const { exitCode, stdout } = await checkHost();
    expect({ exitCode, stdout }).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(/✖ the locale en_US\.UTF-8\n {4}hint: apt install locales, .*\n✖ user and process namespaces \(unshare: no\)\n {4}hint: as root: sysctl /) });
    const lines = (await checkHost('--json')).stdout.split('\n').map((line) => JSON.parse(line) as unknown);
    expect(lines).toContainEqual({ type: 'lack', what: 'the locale en_US.UTF-8', remedy: expect.stringContaining('locale-gen') });
  });
});

test('this host: programs that it has are not among what it lacks', async () => {
  const real = await lacks({ hostEnvironment: { PATH: process.env['PATH'] ?? '' }, folder, uid: process.getuid?.() ?? 0, diskBytes: 1 });
  expect(real.filter(({ what }) => what.startsWith('the program git') || what.startsWith('disk'))).toEqual([]);
});
