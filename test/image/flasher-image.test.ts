// A flasher made of real files, and what its own scripts write with what is on it.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { encodeBmap } from '../../src/image/bmap.ts';
import { buildFlasher, type FlasherReport } from '../../src/image/flasher.ts';
import { encodeMbr } from '../../src/image/mbr.ts';
import { planPartitions } from '../../src/image/partition-table.ts';
import type { Machine } from '../../src/model/index.ts';
import { fakeContext, noToolsTree, toolsTree } from './support/fake-context.ts';

const machine: Machine = {
  description: 'Test board',
  arch: 'armv7hf',
  kernel: { debian: { package: 'linux-image-test', architecture: 'armhf' } },
  boot: { method: 'u-boot', package: { package: 'loader', architecture: 'all' }, file: 'u-boot.bin', target: 'u-boot.bin' },
  disk: { table: 'mbr', boot: '64MiB', root: '16MiB', state: '16MiB', data: '64MiB' },
};
const areas = [{ name: 'spl', file: 'first/SPL', offsetBytes: 131072, sizeBytes: 65536 }];
const scripts = new URL('../../recipes/initrd/', import.meta.url).pathname;

let work = '';
beforeAll(() => void (work = mkdtempSync(join(tmpdir(), 'osbuild-flasher-image-'))));
afterAll(() => rmSync(work, { recursive: true, force: true }));
beforeEach((context) => {
  if (toolsTree === null) context.skip(noToolsTree);
});

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

function tarOf(name: string, files: Record<string, string>): string {
  const root = join(work, `${name}.d`);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  execFileSync('tar', ['--sort=name', '--numeric-owner', '--owner=0', '--group=0', '-C', root, '-cf', join(work, `${name}.tar`), '.']);
  return join(work, `${name}.tar`);
}

function range(file: string, start: number, end: number): Buffer {
  const fd = openSync(file, 'r');
  const bytes = Buffer.alloc(end - start);
  readSync(fd, bytes, 0, bytes.length, start);
  closeSync(fd);
  return bytes;
}

test('the medium is the same bytes each time, and its scripts put the image onto a disk from what it holds', async () => {
  const layout = planPartitions('board', machine.disk);
  const [boot, rootA] = layout.partitions;
  if (!boot || !rootA) throw new Error('no partitions');
  const raw = join(work, 'disk.img');
  const fd = openSync(raw, 'w');
  ftruncateSync(fd, layout.sizeBytes);
  for (const { offset, bytes } of encodeMbr(layout)) writeSync(fd, bytes, 0, bytes.length, offset);
  const contents = [{ at: 131072, bytes: randomBytes(65536) }, { at: boot.startBytes, bytes: randomBytes(3 * 4096) }, { at: rootA.startBytes, bytes: Buffer.alloc(1024 ** 2, 'root ') }];
  for (const { at, bytes } of contents) writeSync(fd, bytes, 0, bytes.length, at);
  closeSync(fd);
  const extended = layout.extended?.startBytes ?? 0;
  const starts = [{ start: 0, end: 4096 }, ...contents.map(({ at, bytes }) => ({ start: at, end: at + bytes.length })), { start: extended, end: extended + 4096 }];
  const ranges = starts.map((one) => ({ ...one, sha256: sha256(range(raw, one.start, one.end)) }));
  const files = {
    kernel: join(work, 'kernel'),
    initrd: join(work, 'initrd'),
    image: join(work, 'image'),
    bmap: join(work, 'bmap'),
    layout: join(work, 'layout'),
    deviceTrees: tarOf('trees', { 'board.dtb': 'tree' }),
    bootLoader: tarOf('loader', { 'loader/u-boot.bin': 'u-boot', 'loader/first/SPL': 'first stage' }),
  };
  writeFileSync(files.kernel, 'kernel');
  writeFileSync(files.initrd, 'initrd of the flasher');
  writeFileSync(files.bmap, encodeBmap({ imageBytes: layout.sizeBytes, ranges }));
  writeFileSync(files.layout, JSON.stringify({ layout }));
  const packer = fakeContext('image/slot', { compression: '' }, { raw }, work);
  await packer.tool({ argv: ['zstd', '-q', '/in/raw', '-o', '/out/image'] });

  const args = { name: 'board', machine, disks: ['*/mmc/*'], config: { hostname: 'h' }, commandLine: ['gpt'], title: 'T', version: '1', imageName: 'minke-board-1-flasher', areas: { package: 'loader', areas } };
  const outs = [join(work, 'one'), join(work, 'two')] as const;
  for (const [index, out] of outs.entries()) {
    const context = fakeContext('image/flasher', args, files, out);
    await buildFlasher(context);
    context.dispose();
    if (index === 0) await new Promise((resolve) => setTimeout(resolve, 2100)); // FAT counts in two seconds
  }
  const [one, two] = outs;
  for (const file of ['flasher.img.zst', 'flasher.bmap', 'flasher.json', 'SHA256SUMS']) expect(sha256(readFileSync(join(two, file))), file).toBe(sha256(readFileSync(join(one, file))));
  const report = JSON.parse(readFileSync(join(one, 'flasher.json'), 'utf8')) as FlasherReport;
  expect(report.image).toMatchObject({ sizeBytes: layout.sizeBytes, writtenBytes: ranges.reduce((sum, { start, end }) => sum + end - start, 0) });
  expect(readFileSync(join(one, 'SHA256SUMS'), 'utf8')).toContain(`${sha256(readFileSync(join(one, 'flasher.img.zst')))}  minke-board-1-flasher.img.zst\n`);

  // The medium as a board reads it.
  await packer.tool({ argv: ['zstd', '-q', '-d', '--sparse', '/out/one/flasher.img.zst', '-o', '/out/flasher.img'] });
  const medium = join(work, 'flasher.img');
  expect(statSync(medium).size).toBe(report.sizeBytes);
  expect(range(medium, 131072, 131083).toString()).toBe('first stage');
  expect(range(medium, 510, 512)).toEqual(Buffer.from([0x55, 0xaa]));
  writeFileSync(join(work, 'part.img'), range(medium, 4 * 1024 ** 2, report.sizeBytes));
  await packer.tool({ argv: ['fsck.fat', '-n', '/out/part.img'] });
  const copied = join(work, 'medium');
  mkdirSync(copied);
  await packer.tool({ argv: ['mcopy', '-s', '-n', '-i', '/out/part.img', '::/', '/out/medium/'] });
  packer.dispose();
  for (const path of ['A/kernel', 'A/initrd', 'A/dtb/board.dtb', 'u-boot.bin', 'boot.scr', 'config.json', 'flasher.conf', 'system-connections/README.txt']) expect(existsSync(join(copied, path)), path).toBe(true);
  expect(readFileSync(join(copied, 'A/initrd'), 'utf8')).toBe('initrd of the flasher');

  const device = join(work, 'device');
  writeFileSync(device, Buffer.alloc(layout.sizeBytes + 8 * 1024 ** 2 + 512, 0xa5));
  const libraries = ['initrd/lib/table', 'flasher/lib/write'].map((part) => `. ${scripts}${part}.sh`).join('\n');
  const stubs = 'say() { :; }\ndie() { echo "$*"; exit 3; }\nforget_cached() { :; }';
  const busybox = spawnSync('busybox', ['true']).error === undefined ? ['busybox', 'sh'] : ['sh'];
  const [program = 'sh', ...words] = [...busybox, '-c', `${libraries}\n${stubs}\ncheck_payload; wipe_ends; for part in content table; do write_pieces $part; verify_pieces $part; done`];
  expect(spawnSync(program, words, { encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', payload: join(copied, 'flasher'), device, run: work } })).toMatchObject({ status: 0, stdout: '', stderr: '' });
  for (const { start, end } of ranges) expect(range(device, start, end).equals(range(raw, start, end)), `${start}`).toBe(true);
}, 300_000);
