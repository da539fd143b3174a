import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { openToolsTree, type ToolsTree } from '../../src/device/index.ts';
import { readFromImage, replaceInImage, type ImageTools } from '../../src/image-config/index.ts';
import { decodeBmap, encodeBmap } from '../../src/image/bmap.ts';
import { encodeDiskTable } from '../../src/image/disk-table.ts';
import { partition, planPartitions } from '../../src/image/partition-table.ts';
import { noToolsTree, toolsTree } from '../image/support/fake-context.ts';
import { noise } from '../support/release.ts';

const home = new URL('../..', import.meta.url).pathname;
const MiB = 1024 * 1024;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const first = '{ "hostname": "first" }\n';

describe.each(['gpt', 'mbr'] as const)('config.json of an image (%s)', (table) => {
  const layout = planPartitions('board', { table, boot: '40MiB', root: '4MiB', state: '4MiB', data: '4MiB' });
  const boot = partition(layout, 'boot');
  const rootA = partition(layout, 'rootA');
  let folder = '';
  let tree: ToolsTree;
  let tools: ImageTools;
  let pristine = '';
  let image = '';
  const beside = (name: string): string => join(folder, 'image', name);

  /** As `osbuild image` makes them: table, boot partition with a file beside, a root, holes; block map and sums. */
  beforeAll(async () => {
    if (toolsTree === null) return;
    folder = mkdtempSync(join(tmpdir(), 'osbuild-config-'));
    tree = openToolsTree({ folder: toolsTree, work: join(folder, 'work'), hostEnvironment: { PATH: process.env['PATH'] ?? '' }, signal: new AbortController().signal });
    tools = { tree, work: folder, epoch: 1_750_000_000 };
    pristine = join(folder, 'pristine');
    mkdirSync(pristine);
    const mounts = { '/made': { path: folder, rw: true } };
    writeFileSync(join(folder, 'config.json'), first);
    writeFileSync(join(folder, 'kernel'), noise(3 * MiB, 'kernel'));
    await tree.run({ argv: ['truncate', '-s', String(boot.sizeBytes), '/made/boot'], mounts, name: 'size' });
    await tree.run({ argv: ['mkfs.fat', '--invariant', '-F', '32', '-s', '1', '-n', 'MINKE-BOOT', '/made/boot'], mounts, name: 'format' });
    await tree.run({ argv: ['mcopy', '-i', '/made/boot', '/made/config.json', '/made/kernel', '::/'], mounts, name: 'fill' });
    const disk = Buffer.alloc(layout.sizeBytes);
    for (const { offset, bytes } of encodeDiskTable(layout, undefined)) bytes.copy(disk, offset);
    readFileSync(join(folder, 'boot')).copy(disk, boot.startBytes);
    noise(2 * MiB, 'root').copy(disk, rootA.startBytes);
    writeFileSync(join(pristine, 'board.img'), disk);
    const ranges: { start: number; end: number }[] = [];
    for (let start = 0; start < disk.length; start += 4096) {
      if (disk.subarray(start, start + 4096).every((byte) => byte === 0)) continue;
      if (ranges.at(-1)?.end === start) ranges.splice(-1, 1, { start: ranges.at(-1)?.start ?? 0, end: start + 4096 });
      else ranges.push({ start, end: start + 4096 });
    }
    writeFileSync(join(pristine, 'board.bmap'), encodeBmap({ imageBytes: disk.length, ranges: ranges.map((range) => ({ ...range, sha256: sha256(disk.subarray(range.start, range.end)) })) }));
    await tree.run({ argv: ['zstd', '-q', '-3', '/made/pristine/board.img'], mounts, name: 'pack' });
  }, 600_000);
  afterAll(() => rmSync(folder || join(tmpdir(), 'osbuild-none'), { recursive: true, force: true }));
  beforeEach((context) => {
    if (toolsTree === null) return context.skip(noToolsTree);
    rmSync(join(folder, 'image'), { recursive: true, force: true });
    mkdirSync(join(folder, 'image'));
    for (const name of ['board.img.zst', 'board.bmap']) writeFileSync(beside(name), readFileSync(join(pristine, name)));
    writeFileSync(beside('SHA256SUMS'), ['board.img.zst', 'board.bmap'].map((name) => `${sha256(readFileSync(beside(name)))}  ${name}\n`).join('') + `${'0'.repeat(64)}  other\n`);
    image = beside('board.img.zst');
  });

  const unpacked = async (path: string): Promise<Buffer> => {
    if (!path.endsWith('.zst')) return readFileSync(path);
    const mounts = { '/image': { path: join(folder, 'image'), rw: false }, '/made': { path: folder, rw: true } };
    await tree.run({ argv: ['zstd', '-d', '-q', '-f', '/image/board.img.zst', '-o', '/made/unpacked'], mounts, name: 'unpack' });
    return readFileSync(join(folder, 'unpacked'));
  };
  /** All but the boot partition is as it was, and the block map has every byte that is not zero, with its digests. */
  const expectWhole = async (path: string): Promise<void> => {
    const [now, before] = [await unpacked(path), readFileSync(join(pristine, 'board.img'))];
    expect(now.length).toBe(before.length);
    for (const [start, end] of [[0, boot.startBytes], [boot.startBytes + boot.sizeBytes, before.length]] as const) expect(now.subarray(start, end).equals(before.subarray(start, end))).toBe(true);
    const map = decodeBmap(readFileSync(beside('board.bmap'), 'utf8'));
    const left = Buffer.from(now);
    for (const { start, end, sha256: digest } of map.ranges) {
      expect(sha256(now.subarray(start, end))).toBe(digest);
      left.fill(0, start, end);
    }
    expect(left.equals(Buffer.alloc(left.length)), 'nothing but zeros is left out').toBe(true);
  };

  test('is read, and changed without anything else', async () => {
    chmodSync(image, 0o640);
    expect(await readFromImage(image, 'config.json', tools)).toBe(first);
    expect(await readFromImage(image, 'absent', tools)).toBeNull();
    // Longer than one cluster, so that others have to be found for it.
    const second = `${JSON.stringify({ hostname: 'second', note: 'x'.repeat(5000) })}\n`;
    expect(await replaceInImage(image, 'config.json', second, tools)).toEqual([image, beside('board.bmap'), beside('SHA256SUMS')]);
    expect(await readFromImage(image, 'config.json', tools)).toBe(second);
    await expectWhole(image);
    expect(readFileSync(beside('SHA256SUMS'), 'utf8')).toBe(['board.img.zst', 'board.bmap'].map((name) => `${sha256(readFileSync(beside(name)))}  ${name}\n`).join('') + `${'0'.repeat(64)}  other\n`);
    expect(statSync(image).mode & 0o777).toBe(0o640);
    expect(readdirSync(join(folder, 'image')).toSorted()).toEqual(['SHA256SUMS', 'board.bmap', 'board.img.zst']);
    // The file system is whole, too.
    const range = (await unpacked(image)).subarray(boot.startBytes, boot.startBytes + boot.sizeBytes);
    writeFileSync(join(folder, 'checked'), range);
    await tree.run({ argv: ['fsck.fat', '-n', '/made/checked'], mounts: { '/made': { path: folder, rw: false } }, name: 'check' });

    const bytes = readFileSync(image);
    expect(await replaceInImage(image, 'config.json', second, tools), 'nothing is to be done').toEqual([]);
    for (const name of ['board.img.zst', 'board.bmap']) writeFileSync(beside(name), readFileSync(join(pristine, name)));
    await replaceInImage(image, 'config.json', second, tools);
    expect(readFileSync(image).equals(bytes), 'the same change gives the same bytes').toBe(true);
  }, 600_000);

  test('is changed in an image that is not compressed, with no papers beside it', async () => {
    rmSync(beside('SHA256SUMS'));
    renameSync(beside('board.bmap'), join(folder, 'board.bmap'));
    const plain = beside('board.img');
    writeFileSync(plain, readFileSync(join(pristine, 'board.img')));
    expect(await replaceInImage(plain, 'config.json', '{}\n', tools)).toEqual([plain]);
    expect(await readFromImage(plain, 'config.json', tools)).toBe('{}\n');
    const file = await open(plain);
    expect((await file.stat()).blocks * 512, 'holes stay holes').toBeLessThan(layout.sizeBytes / 2);
    await file.close();
  }, 600_000);

  test('a file that is no image, or is cut off, is refused and left alone', async () => {
    const whole = readFileSync(image);
    for (const [name, content] of [['cut.img.zst', whole.subarray(0, whole.length / 4)], ['zeros.img', Buffer.alloc(4 * MiB)], ['short.img', readFileSync(join(pristine, 'board.img')).subarray(0, boot.startBytes + 2 * MiB)], ['empty.img', Buffer.alloc(0)]] as const) {
      writeFileSync(beside(name), content);
      await expect(replaceInImage(beside(name), 'config.json', '{}\n', tools), name).rejects.toMatchObject({ code: expect.stringMatching(/^OSB_(USAGE|HASH_MISMATCH)$/) });
      expect(readFileSync(beside(name)).equals(content)).toBe(true);
    }
  }, 600_000);
});

describe('osbuild config', () => {
  let folder = '';
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'osbuild-config-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const osbuild = (...words: string[]) => execa(join(home, 'osbuild'), ['config', ...words], { reject: false, stdin: 'ignore', cwd: folder });

  test.each([
    [['take', 'x.img'], 2, 'is nothing that osbuild config does'],
    [['get', 'absent.img'], 2, 'there is no file'],
    [['set', 'x.img', 'hostname'], 2, 'is no key with a value'],
    [['set', 'x.img', 'hostnam=a'], 2, 'did you mean "hostname"?'],
    [['get', 'x.txt'], 2, 'is no image'],
  ])('%j', async (words, status, complaint) => {
    for (const name of ['x.img', 'x.txt']) writeFileSync(join(folder, name), 'x');
    expect(await osbuild(...words)).toMatchObject({ exitCode: status, stderr: expect.stringContaining(complaint) });
  }, 600_000);

  test('checks a file before it goes anywhere', async () => {
    writeFileSync(join(folder, 'good.json'), '{ "hostname": "kitchen" }');
    writeFileSync(join(folder, 'bad.json'), '{\n "hostnam": "kitchen"\n}');
    expect(await osbuild('check', 'good.json')).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('nothing is wrong') });
    expect(await osbuild('check', 'bad.json')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('bad.json:2:2: hostnam: unknown key "hostnam" (did you mean "hostname"?)') });
  }, 600_000);

  test('sets, gets, and leaves a whole image behind when it is killed while it writes', async (context) => {
    if (toolsTree === null) return context.skip(noToolsTree);
    const layout = planPartitions('board', { table: 'gpt', boot: '40MiB', root: '64MiB', state: '4MiB', data: '4MiB' });
    const mounts = { '/made': { path: folder, rw: true } };
    const tree = openToolsTree({ folder: toolsTree, work: join(folder, 'work'), hostEnvironment: { PATH: process.env['PATH'] ?? '' }, signal: new AbortController().signal });
    await tree.run({ argv: ['truncate', '-s', String(partition(layout, 'boot').sizeBytes), '/made/boot'], mounts, name: 'size' });
    await tree.run({ argv: ['mkfs.fat', '-F', '32', '-s', '1', '/made/boot'], mounts, name: 'format' });
    const disk = Buffer.alloc(layout.sizeBytes);
    for (const { offset, bytes } of encodeDiskTable(layout, undefined)) bytes.copy(disk, offset);
    readFileSync(join(folder, 'boot')).copy(disk, partition(layout, 'boot').startBytes);
    noise(60 * MiB, 'root').copy(disk, partition(layout, 'rootA').startBytes);
    writeFileSync(join(folder, 'board.img'), disk);
    await tree.run({ argv: ['zstd', '-q', '-1', '/made/board.img'], mounts, name: 'pack' });
    const image = join(folder, 'board.img.zst');
    const before = readFileSync(image);

    const run = spawn(join(home, 'osbuild'), ['config', 'set', image, 'hostname=kitchen'], { stdio: 'ignore', detached: true });
    const ended = new Promise((done) => run.once('close', done));
    const half = (): string | undefined => readdirSync(folder).find((name) => name.startsWith('board.img.zst.'));
    for (const deadline = Date.now() + 60_000; half() === undefined && run.exitCode === null && Date.now() < deadline; ) await sleep(2);
    process.kill(-(run.pid ?? 0), 'SIGKILL');
    await ended;
    expect(half(), 'it was killed while it wrote').toBeDefined();
    expect(readFileSync(image).equals(before)).toBe(true);

    expect(await osbuild('get', image)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('has no config.json') });
    expect(await osbuild('set', image, 'hostname', 'kitchen', '--json')).toMatchObject({ exitCode: 0 });
    expect(existsSync(image)).toBe(true);
    expect((await osbuild('get', image, 'hostname')).stdout).toBe('kitchen');
    expect((await osbuild('unset', image, 'hostname')).exitCode).toBe(0);
    expect((await osbuild('get', image)).stdout).toBe('{}');
  }, 600_000);
});
