import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';

import type { DebianLock } from '../../src/model/index.ts';
import { hasProgram, need, wholeRun, wholeRunReason } from '../support/need.ts';

// A maker's archive, made of Debian's own kernel: whatever of the image is not as with Debian's package comes from the way it took.
const minutes = 60_000;
const home = process.cwd();
const like = 'qemuarm64';
const machine = 'vendor-board';
const cache = process.env['OSBUILD_CACHE_DIR'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'osbuild');
const deviceTree = 'broadcom/bcm2837-rpi-3-b.dtb';
const obstacle = ['tar', 'xz', 'zstd', 'dpkg-deb'].filter((program) => !hasProgram(program));

let work: string;
let project: string;
let release: string;
let archive: string;
let server: Server;
let requests = 0;
/** The kernel as Debian packages it. */
let debianKernel: Buffer;

beforeAll(async () => {
  if (!wholeRun || obstacle.length > 0) return;
  work = await mkdtemp(join(tmpdir(), 'osbuild-vendor-'));
  await chmod(work, 0o755);
  project = join(work, 'project');
  await osbuild(['init', project]);
  await rm(join(project, 'recipes'), { recursive: true });
  await writeFile(join(project, 'build.config.yaml'), 'base: osbuild\n');
  await mkdir(join(project, 'machines/locks'), { recursive: true });
  await cp(join(home, `machines/locks/${like}.lock.json`), join(project, `machines/locks/${like}.lock.json`));
  const built = await osbuild(['image', '--machine', like, '-C', project]);
  expect(built.exitCode, built.all).toBe(0);
  await repack();
  server = createServer((_, response) => {
    requests += 1;
    createReadStream(archive).pipe(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  await writeMachine();
}, 60 * minutes);
beforeEach((context) => {
  need(context, wholeRun, wholeRunReason);
  need(context, obstacle.length === 0, `${obstacle.join(', ')}: not installed`);
});
afterAll(async () => {
  server?.close();
  if (work) await rm(work, { recursive: true, force: true });
});

async function osbuild(args: string[]) {
  const result = await execa(join(home, 'osbuild'), args, { reject: false, all: true });
  return { exitCode: result.exitCode, all: String(result.all), stdout: String(result.stdout) };
}

const readLock = async (file: string): Promise<DebianLock> => JSON.parse(await readFile(file, 'utf8')) as DebianLock;

/** Debian's kernel in a layout that no package has: everything below a folder of its own, the kernel packed, device trees beside it. */
async function repack(): Promise<void> {
  const lock = await readLock(join(project, `machines/locks/${like}.lock.json`));
  const locked = lock.packages.find(({ name, sets }) => sets?.includes('kernel') === true && /^linux-image-\d/.test(name));
  const sha256 = locked?.sha256 ?? '';
  const content = join(work, 'deb');
  await execa('dpkg-deb', ['--extract', join(cache, 'cas', sha256.slice(0, 2), sha256), content]);
  [release = ''] = await readdir(join(content, 'usr/lib/modules'));
  debianKernel = await readFile(join(content, `boot/vmlinuz-${release}`));
  const bsp = join(work, 'bsp/board-1.0');
  await mkdir(join(bsp, 'boot'), { recursive: true });
  await execa('sh', ['-euc', 'gzip -1 < "$1/boot/vmlinuz-$3" > "$2/boot/Image.gz"; mv "$1/usr/lib/modules" "$2/modules"; mv "$1/usr/lib/linux-image-$3" "$2/boot/dtb"; ln -s /usr/src/linux "$2/modules/$3/build"', 'sh', content, bsp, release]);
  // Modules packed in the other ways that kbuild knows, and one not at all.
  await execa('sh', ['-euc', 'cd "$1/kernel/fs"; xz -d ext4/ext4.ko.xz overlayfs/overlay.ko.xz erofs/erofs.ko.xz; gzip ext4/ext4.ko; zstd -q --rm overlayfs/overlay.ko', 'sh', join(bsp, 'modules', release)]);
  archive = join(work, 'board-1.0.tar.xz');
  await execa('tar', ['--use-compress-program=xz -0', '-cf', archive, '-C', join(work, 'bsp'), '.']);
}

/** The machine with that archive, and a lock that differs by the kernel alone. */
async function writeMachine(change: Record<string, unknown> = {}): Promise<void> {
  const { kernel, ...rest } = parse(await readFile(join(home, `machines/${like}.yaml`), 'utf8')) as { kernel: Record<string, unknown> };
  const { debian: _debian, ...other } = kernel;
  const sha256 = createHash('sha256').update(await readFile(archive)).digest('hex');
  const artifact = {
    name: 'linux-board',
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/board-1.0.tar.xz`,
    sha256,
    version: '1.0',
    architecture: 'arm64',
    license: 'GPL-2.0-only',
    sourceUrl: 'https://board.invalid/linux',
    image: 'board-1.0/boot/Image.gz',
    modules: 'board-1.0/modules',
    deviceTrees: 'board-1.0/boot/dtb',
    ...change,
  };
  await writeFile(join(project, `machines/${machine}.yaml`), stringify({ ...rest, kernel: { ...other, deviceTrees: [deviceTree], artifact } }));
  const lock = await readLock(join(project, `machines/locks/${like}.lock.json`));
  const { kernelHeaders: _headers, ...sets } = lock.request.sets ?? {};
  const packages = lock.packages.flatMap((locked) => {
    if (locked.sets === undefined) return [locked];
    const left = locked.sets.filter((set) => !/^kernel(Headers)?$/.test(set));
    return left.length === 0 ? [] : [{ ...locked, sets: left }];
  });
  await writeFile(join(project, `machines/locks/${machine}.lock.json`), JSON.stringify({ ...lock, request: { ...lock.request, sets: { ...sets, kernel: { packages: [], dependencies: false } } }, packages }));
}

/** Outputs of a task of the last build, by their SHA-256. */
async function outputs(of: string, task: string): Promise<Record<string, string>> {
  const graph = await osbuild(['graph', '--machine', of, '-C', project, '--json']);
  const { key = '' } = graph.stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as { id: string; key: string }).find(({ id }) => id === task) ?? {};
  const { files } = JSON.parse(await readFile(join(cache, 'ac', key.slice(0, 2), `${key}.json`), 'utf8')) as { files: Record<string, { sha256: string }> };
  return Object.fromEntries(Object.entries(files).map(([name, { sha256 }]) => [name, sha256]));
}

/** The layers of an OS image, unpacked: of the root the list of its modules, of the slot's folder its files. */
async function lookIntoSlot(): Promise<{ modules: string[]; boot: string }> {
  const folder = join(project, 'out', machine);
  const name = (await readdir(folder)).find((file) => file.endsWith('.os.tar')) ?? '';
  const os = join(work, 'os');
  await mkdir(os, { recursive: true });
  await execa('tar', ['-xf', join(folder, name), '-C', os]);
  const blob = (digest: string): string => join(os, 'blobs', digest.replace(':', '/'));
  const index = JSON.parse(await readFile(join(os, 'index.json'), 'utf8')) as { manifests: [{ digest: string }] };
  const { layers } = JSON.parse(await readFile(blob(index.manifests[0].digest), 'utf8')) as { layers: [{ digest: string }, { digest: string }] };
  const listed = await execa('tar', ['--zstd', '-tf', blob(layers[0].digest)]);
  await execa('tar', ['--zstd', '-xf', blob(layers[1].digest), '-C', os]);
  return { modules: listed.stdout.split('\n').filter((path) => path.includes('/lib/modules/') && !path.endsWith('/')), boot: join(os, 'boot') };
}

describe('an image with a kernel of its maker', () => {
  test('is built from the archive, which is loaded once', { timeout: 40 * minutes }, async () => {
    const result = await osbuild(['image', '--machine', machine, '-C', project, '--locked']);
    expect(result.exitCode, result.all).toBe(0);
    expect(result.all).toContain('There is no archive of headers beside the image');
    expect(requests).toBe(1);
    const again = await osbuild(['image', '--machine', machine, '-C', project, '--locked', '--json']);
    expect(again.all).toContain('"toRun":[]');
    expect(requests).toBe(1);
  });

  test('has in its slot the kernel unpacked, the device tree, and the same modules as with Debian\'s package', { timeout: 10 * minutes }, async () => {
    const { modules, boot } = await lookIntoSlot();
    const files = (await readdir(boot, { recursive: true })).toSorted();
    expect(files).toContain(`dtb/${deviceTree}`);
    expect((await readFile(join(boot, 'kernel'))).equals(debianKernel), files.join(' ')).toBe(true);
    expect(modules.some((path) => path.endsWith(`lib/modules/${release}/modules.dep`))).toBe(true);
    expect(modules.filter((path) => path.endsWith('.ko')).length).toBeGreaterThan(300);
    const [ours, theirs] = [await outputs(machine, `debian/${machine}/kernel`), await outputs(like, `debian/${like}/kernel`)];
    expect([ours['vmlinuz'], ours['modules.tar']]).toEqual([theirs['vmlinuz'], theirs['modules.tar']]);
  });

  test('names it in its papers, with licence, address and sources, and has no headers', async () => {
    const folder = join(project, 'out', machine);
    expect((await readdir(folder)).filter((file) => file.includes('kernel-headers'))).toEqual([]);
    const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as { kernelVersion: string; packages: { name: string; installedBytes: number }[] };
    expect(manifest.kernelVersion).toBe(release);
    expect(manifest.packages.filter(({ name }) => name.startsWith('linux-'))).toEqual([
      expect.objectContaining({ name: 'linux-board', version: '1.0', architecture: 'arm64', licences: ['GPL-2.0-only'], downloadBytes: (await stat(archive)).size, sourceUrl: 'https://board.invalid/linux', downloadUrl: expect.stringContaining('/board-1.0.tar.xz') }),
    ]);
    expect(manifest.packages.find(({ name }) => name === 'linux-board')?.installedBytes).toBeGreaterThan(debianKernel.length);
    const { components } = JSON.parse(await readFile(join(folder, 'sbom.cdx.json'), 'utf8')) as { components: { name: string }[] };
    expect(components.find(({ name }) => name === 'linux-board')).toMatchObject({ licenses: [{ license: { id: 'GPL-2.0-only' } }], purl: expect.stringContaining('pkg:generic/linux-board?checksum=sha256:'), externalReferences: [{ type: 'source-distribution', url: 'https://board.invalid/linux' }] });
  });
});

describe('a machine file that does not fit its archive', () => {
  test('is told so, and what to write', { timeout: 20 * minutes }, async () => {
    const failing = async (change: Record<string, unknown>): Promise<string> => {
      await writeMachine(change);
      const { exitCode, all } = await osbuild(['image', '--machine', machine, '-C', project, '--locked']);
      expect(exitCode, all).toBe(1);
      return all;
    };
    expect(await failing({ sha256: 'b'.repeat(64) })).toMatch(/linux-board from http.* has the SHA-256 [0-9a-f]{64}, and not b{64}/);
    expect(await failing({ architecture: 'armhf' })).toContain('for arm64, and the machine wants one for armhf');
    expect(await failing({ image: 'board-1.0/boot/Image' })).toMatch(/has no file board-1\.0\/boot\/Image\.[\s\S]*board-1\.0\/boot\/Image\.gz/);
    expect(existsSync(join(project, 'out', machine, 'manifest.json'))).toBe(true);
  });
});
