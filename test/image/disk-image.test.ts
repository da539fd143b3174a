import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync, openSync, readSync, closeSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildBootPartition } from '../../src/image/boot-partition.ts';
import { buildBoot } from '../../src/image/boot.ts';
import { buildDisk, type DiskReport } from '../../src/image/disk.ts';
import { buildInitrd, type InitrdReport } from '../../src/image/initrd.ts';
import { buildUpdate } from '../../src/image/update.ts';
import { buildSlot } from '../../src/image/slot.ts';
import { buildVerity, readVerity } from '../../src/image/verity.ts';
import { formatVerity, verityEndBytes } from '../../src/engine/verity/index.ts';
import type { Machine } from '../../src/model/index.ts';
import { fakeContext, noToolsTree, toolsTree } from './support/fake-context.ts';

const machine: Machine = {
  description: 'Test board',
  arch: 'amd64',
  kernel: { debian: { package: 'linux-image-test', architecture: 'arm64' } },
  boot: { method: 'u-boot', package: { package: 'loader', architecture: 'all' }, file: 'u-boot.bin', target: 'u-boot.bin' },
  disk: { table: 'mbr', boot: '64MiB', root: '16MiB', state: '16MiB', data: '64MiB' },
};
/** A first stage right behind the MBR's sector block, and an environment that must be empty. */
const areas = [
  { name: 'spl', file: 'first/SPL', offsetBytes: 1024, sizeBytes: 4096 },
  { name: 'environment', file: null, offsetBytes: 16384, sizeBytes: 8192 },
];
let work = '';
const tarOf = (name: string, files: Record<string, string | Buffer>, links: Record<string, string> = {}): string => {
  const root = join(work, `${name}.d`);
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(root, path));
  execFileSync('tar', ['--sort=name', '--mtime=@1750000000', '--numeric-owner', '--owner=0', '--group=0', '-C', root, '-cf', join(work, `${name}.tar`), '.']);
  return join(work, `${name}.tar`);
};
const digest = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

beforeAll(() => void (work = mkdtempSync(join(tmpdir(), 'osbuild-disk-'))));
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe('a disk image made of real files', () => {
  beforeEach((context) => {
    if (toolsTree === null) context.skip(noToolsTree);
  });

  /** All steps of an image into a folder; the root holds something that compresses and something that does not. */
  async function build(out: string, epoch = 1_750_000_000): Promise<void> {
    const noise = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919 + ((index * index) >> 3)) & 255));
    const rootfs = tarOf('root', { 'etc/os-release': 'NAME=x\n', 'usr/noise': noise, 'usr/zeros': Buffer.alloc(2_000_000) }, { lib: 'usr/lib' });
    const deviceTrees = tarOf('trees', { 'maker/board.dtb': 'tree' });
    const bootLoader = tarOf('loader', { 'loader/u-boot.bin': 'boot', 'loader/first/SPL': 'first stage' });
    const kernel = join(work, 'kernel');
    const initrd = join(work, 'initrd');
    writeFileSync(kernel, noise);
    writeFileSync(initrd, 'initrd');
    const steps = [
      () => run('image/slot', { compression: 'lz4hc' }, { rootfs }, buildSlot),
      () => run('image/verity', {}, { root: join(out, 'root.erofs') }, buildVerity),
      () => run('image/boot', { name: 'board', machine, config: {}, commandLine: ['quiet'], title: 'T', version: '1' }, { kernel, initrd, deviceTrees, bootLoader, verity: join(out, 'verity.json') }, buildBoot),
      () => run('image/update', { machine: 'board', arch: 'amd64', os: { name: 'T', id: 't', version: '1' }, mode: 'production', commandLine: ['quiet'], loader: 'u-boot', compression: 'lz4hc', reference: 'os:1', signers: [] }, { root: rootfs, slot: join(out, 'root.erofs'), boot: join(out, 'slot.tar'), verity: join(out, 'verity.json') }, buildUpdate),
      () => run('image/boot-partition', { name: 'board', disk: machine.disk }, { boot: join(out, 'boot.tar'), slotFiles: join(out, 'slot.tar'), root: rootfs, config: join(out, 'config.json') }, buildBootPartition),
      () => run('image/disk', { name: 'board', disk: machine.disk, areas: { package: 'loader', areas } }, { root: join(out, 'root.erofs'), tree: join(out, 'root.verity'), boot: join(out, 'boot.vfat'), bootLoader }, buildDisk),
    ];
    for (const step of steps) await step();
    async function run<K extends 'image/slot' | 'image/verity' | 'image/boot' | 'image/update' | 'image/boot-partition' | 'image/disk'>(kind: K, args: Parameters<typeof fakeContext<K>>[1], files: Record<string, string>, executor: (context: ReturnType<typeof fakeContext<K>>) => Promise<void>): Promise<void> {
      const context = fakeContext(kind, args, files, out, epoch);
      await executor(context);
      context.dispose();
    }
  }

  test('is the same bytes in another folder at another time, and each file system passes its checker', async () => {
    const [one, two] = [join(work, 'one'), join(work, 'two')];
    await build(one);
    await new Promise((resolve) => setTimeout(resolve, 2100)); // FAT counts in two seconds
    await build(two);
    for (const file of ['root.erofs', 'boot.vfat', 'os.tar', 'disk.bmap', 'disk.img.zst', 'disk.json']) expect(digest(join(two, file)), file).toBe(digest(join(one, file)));

    const raw = join(work, 'raw.img');
    const context = fakeContext('image/slot', { compression: '' }, { image: join(one, 'disk.img.zst') }, one);
    await context.tool({ argv: ['zstd', '-q', '-d', '-f', '/in/image', '-o', '/out/raw.img'] });
    const report = JSON.parse(readFileSync(join(one, 'disk.json'), 'utf8')) as DiskReport;
    for (const part of report.layout.partitions) {
      const cut = join(one, `${part.name}.part`);
      execFileSync('dd', [`if=${join(one, 'raw.img')}`, `of=${cut}`, 'bs=1M', `skip=${part.startBytes / 1024 ** 2}`, `count=${part.sizeBytes / 1024 ** 2}`, 'status=none']);
    }
    await context.tool({ argv: ['fsck.fat', '-n', '/out/boot.part'] });
    await context.tool({ argv: ['fsck.erofs', '/out/rootA.part'] });
    for (const name of ['state', 'data']) await context.tool({ argv: ['e2fsck', '-f', '-n', `/out/${name}.part`] });
    expect(await context.tool({ argv: ['mdir', '-b', '-/', '-i', '/out/boot.part', '::/'] })).toContain('::/A/dtb/maker/board.dtb');
    expect(await context.tool({ argv: ['mtype', '-i', '/out/boot.part', '::/minke/slot.env'] })).toBe('slot=A\n');
    // The tree behind the root is its own, what the loader tells is of it, and the files that an update carries say nothing of it: a device that makes no trees would believe that there is one.
    const verity = await readVerity(join(one, 'verity.json'));
    const verityEnv = await context.tool({ argv: ['mtype', '-i', '/out/boot.part', '::/A/verity.env'] });
    expect(verityEnv).toBe(`os_verity=minke.verity=${formatVerity(verity)}\n`);
    expect(execFileSync('tar', ['-tf', join(one, 'slot.tar')], { encoding: 'utf8' })).not.toContain('verity');
    expect(readFileSync(join(one, 'config.json'), 'utf8')).toContain(verity.rootHash);
    const part = readFileSync(join(one, 'rootA.part'));
    expect(createHash('sha256').update(part.subarray(0, verity.dataBlocks * 4096)).digest('hex')).toBe(verity.salt);
    expect(part.subarray(verity.hashStart * 4096, verityEndBytes(verity)).equals(readFileSync(join(one, 'root.verity')))).toBe(true);
    if (spawnSync('veritysetup', ['--version']).error === undefined) {
      const { rootHash, salt, dataBlocks, hashStart } = verity;
      const verify = ['verify', '--no-superblock', '--data-blocks', String(dataBlocks), '--hash-offset', String(hashStart * 4096), '--salt', salt, join(one, 'rootA.part'), join(one, 'rootA.part')];
      expect(spawnSync('veritysetup', [...verify, rootHash], { encoding: 'utf8' })).toMatchObject({ status: 0 });
      expect(spawnSync('veritysetup', [...verify, rootHash.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))]).status).not.toBe(0);
    }
    // A device reads what a release is from the archive's beginning (src/engine/os/stick.ts).
    const names = execFileSync('tar', ['-tf', join(one, 'os.tar')], { encoding: 'utf8' }).split('\n');
    expect(names.slice(2, 6)).toEqual(['oci-layout', 'index.json', expect.stringMatching(/^blobs\/sha256\//), `blobs/sha256/${digest(join(one, 'config.json'))}`]);
    // What a device makes its release's image of again.
    expect(createHash('sha256').update(await context.tool({ argv: ['mtype', '-i', '/out/boot.part', '::/A/image/config.json'] })).digest('hex')).toBe(digest(join(one, 'config.json')));
    const shared = JSON.parse(await context.tool({ argv: ['mtype', '-i', '/out/boot.part', '::/minke/shared.json'] })) as Record<string, string>;
    await context.tool({ argv: ['mcopy', '-i', '/out/boot.part', '::/boot.scr', '/out/boot.scr'] });
    expect(shared).toEqual({ 'boot.scr': digest(join(one, 'boot.scr')) });
    expect(statSync(join(one, 'raw.img')).size).toBe(report.layout.sizeBytes);
    const start = readFileSync(join(one, 'raw.img')).subarray(0, 32768);
    expect(start.readUInt16BE(510)).toBe(0x55aa);
    expect(start.subarray(1024, 5120).toString('latin1').replace(/\0+$/, '')).toBe('first stage');
    expect(report.areas?.map(({ name, usedBytes }) => [name, usedBytes])).toEqual([['spl', 11], ['environment', 0]]);
    context.dispose();
    rmSync(raw, { force: true });

    checkBlockMap(join(one, 'raw.img'), join(one, 'disk.bmap'));
    if (spawnSync('bmaptool', ['--version']).error === undefined) {
      // A card that held something else: what the boot ROM reads, and the environment, must not be left from before.
      writeFileSync(join(one, 'flashed.img'), Buffer.alloc(4 * 1024 ** 2, 0xa5));
      execFileSync('bmaptool', ['-q', 'copy', '--bmap', join(one, 'disk.bmap'), join(one, 'disk.img.zst'), join(one, 'flashed.img')]);
      const flashed = readFileSync(join(one, 'flashed.img'));
      for (const { offsetBytes, sizeBytes } of areas) expect(flashed.subarray(offsetBytes, offsetBytes + sizeBytes).equals(start.subarray(offsetBytes, offsetBytes + sizeBytes))).toBe(true);
      execFileSync('bmaptool', ['-q', 'copy', '--bmap', join(one, 'disk.bmap'), join(one, 'disk.img.zst'), join(one, 'clean.img')]);
      expect(digest(join(one, 'clean.img'))).toBe(digest(join(one, 'raw.img')));
    }
  }, 600_000);

  test('names a boot program that the package lacks, or that does not fit its area', async () => {
    const root = join(work, 'small.erofs');
    writeFileSync(root, Buffer.alloc(4096));
    const none = join(work, 'no.verity');
    writeFileSync(none, '');
    const bootLoader = tarOf('loader2', { 'loader/first/SPL': Buffer.alloc(5000, 1) });
    const disk = async (area: (typeof areas)[number]): Promise<void> => {
      const boot = join(work, 'one', 'boot.vfat');
      const context = fakeContext('image/disk', { name: 'board', disk: machine.disk, areas: { package: 'loader', areas: [area] } }, { root, tree: none, boot, bootLoader }, join(work, 'never'));
      await buildDisk(context).finally(() => context.dispose());
    };
    const [spl] = areas;
    if (spl === undefined) throw new Error('no area');
    await expect(disk(spl)).rejects.toMatchObject({ code: 'OSB_IMAGE_TOO_LARGE', hint: expect.stringContaining('5120') });
    await expect(disk({ ...spl, file: 'SPL' })).rejects.toMatchObject({ code: 'OSB_PACKAGE_MISSING', hint: expect.stringContaining('loader/first/SPL') });
  }, 120_000);

  test('says which partition is too small', async () => {
    const big = join(work, 'big.erofs');
    const tree = join(work, 'big.verity');
    writeFileSync(big, Buffer.alloc(16 * 1024 ** 2));
    writeFileSync(tree, Buffer.alloc(1024 ** 2));
    const context = fakeContext('image/disk', { name: 'board', disk: machine.disk }, { root: big, tree, boot: big }, join(work, 'never'));
    await expect(buildDisk(context)).rejects.toMatchObject({ code: 'OSB_IMAGE_TOO_LARGE', message: expect.stringMatching(/rootA holds 16.0 MiB but needs 17.0 MiB, 1.0 MiB too much \(the packed root file system and its hash tree\).*rootB/) });
    context.dispose();
  });
});

/** Every mapped range has its checksum, and everything else is zeros. */
function checkBlockMap(image: string, bmap: string): void {
  const ranges = [...readFileSync(bmap, 'utf8').matchAll(/<Range chksum="(\w+)"> (\d+)(?:-(\d+))? </g)];
  expect(ranges.length).toBeGreaterThan(3);
  const fd = openSync(image, 'r');
  const read = (start: number, end: number): Buffer => {
    const bytes = Buffer.alloc(end - start);
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, start));
  };
  let at = 0;
  for (const [, sum, first = '0', last = first] of ranges) {
    const start = Number(first) * 4096;
    const end = (Number(last) + 1) * 4096;
    expect(createHash('sha256').update(read(start, end)).digest('hex')).toBe(sum);
    expect(read(at, start).every((byte) => byte === 0)).toBe(true);
    at = end;
  }
  closeSync(fd);
}

describe('an initrd', () => {
  beforeEach((context) => {
    if (toolsTree === null) context.skip(noToolsTree);
  });
  const kernel = { 'usr/lib/modules/6.0/modules.dep': 'kernel/a.ko:\n', 'usr/lib/modules/6.0/kernel/a.ko': 'module' };

  test.each(['zstd', 'none'] as const)('holds programs with their libraries, modules and scripts, compression %s', async (compression) => {
    const out = join(work, `initrd-out-${compression}`);
    const node = readFileSync('/bin/sh');
    const packages = tarOf(`packages-${compression}`, { 'usr/bin/sh': node, ...libraries() });
    const script = join(work, 'init');
    writeFileSync(script, '#!/bin/sh\n');
    const args = { arch: 'amd64' as const, modules: ['a'], drivers: [], programs: ['/bin/sh'], built: ['minke-own'], settings: { name: "it's" }, scripts: ['scripts'], compression };
    const context = fakeContext('image/initrd', args, { modules: tarOf(`kernel-${compression}`, kernel), packages, scripts: new Map([['initrd/init', script]]), 'built:minke-own': script }, out);
    await buildInitrd(context);
    const report = JSON.parse(readFileSync(join(out, 'initrd.json'), 'utf8')) as InitrdReport;
    expect(report).toMatchObject({ kernelVersion: '6.0', modules: ['a.ko'], programs: ['/bin/sh', '/usr/sbin/minke-own'] });
    if (compression === 'zstd') await context.tool({ argv: ['zstd', '-q', '-d', '-f', '/out/initrd.img', '-o', '/out/initrd.cpio'] });
    const archive = readFileSync(join(out, compression === 'zstd' ? 'initrd.cpio' : 'initrd.img'));
    expect(archive.length).toBe(report.unpackedBytes);
    expect(readFileSync(join(out, 'initrd.img')).length).toBe(report.compressedBytes);
    const text = archive.toString('latin1');
    for (const name of ['init\0', 'usr/sbin/minke-own\0', 'usr/bin/sh\0', 'libc.so.6\0', 'usr/lib/modules/6.0/kernel/a.ko\0', 'etc/minke/initrd.conf\0']) expect(text).toContain(name);
    expect(text).toContain("name='it'\\''s'\n");
    context.dispose();
  }, 120_000);

  test('names modules that the kernel does not have', async () => {
    const args = { arch: 'amd64' as const, modules: ['a', 'no_such_module'], drivers: ['neither'], programs: [], built: [], settings: {}, scripts: [], compression: 'zstd' as const };
    const context = fakeContext('image/initrd', args, { modules: tarOf('kernel2', kernel), packages: tarOf('none', {}) }, join(work, 'no'));
    await expect(buildInitrd(context)).rejects.toMatchObject({ code: 'OSB_KERNEL_INCOMPLETE', message: expect.stringContaining('no_such_module, neither'), details: { missing: ['no_such_module', 'neither'] } });
    context.dispose();
  });

  test('names a program that its packages do not have', async () => {
    const args = { arch: 'amd64' as const, modules: [], drivers: [], programs: ['/usr/bin/absent'], built: [], settings: {}, scripts: [], compression: 'zstd' as const };
    const context = fakeContext('image/initrd', args, { modules: tarOf('kernel3', kernel), packages: tarOf('none2', {}) }, join(work, 'no2'));
    await expect(buildInitrd(context)).rejects.toMatchObject({ code: 'OSB_PACKAGE_MISSING', message: expect.stringContaining('/usr/bin/absent') });
    context.dispose();
  });
});

/** What the host's sh needs, at the paths where Debian has it. */
function libraries(): Record<string, Buffer> {
  const lines = execFileSync('ldd', ['/bin/sh'], { encoding: 'utf8' }).matchAll(/(\/\S+)/g);
  return Object.fromEntries([...lines].map(([path]) => [path.replace(/^\/(lib|lib64)\//, 'usr/$1/'), readFileSync(path)]));
}
