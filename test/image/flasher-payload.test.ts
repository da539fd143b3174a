import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { flasherLayout, flasherRoomBytes } from '../../src/image/flasher-layout.ts';
import { flasherPayload, payloadNumbers, pieceList } from '../../src/image/flasher-payload.ts';
import { planFlasher, planImage } from '../../src/image/index.ts';
import { encodeMbr } from '../../src/image/mbr.ts';
import { planPartitions } from '../../src/image/partition-table.ts';
import type { ImageRequest, Machine, ProvidedRoot, Task } from '../../src/model/index.ts';

const mebibyte = 1024 ** 2;
const home = new URL('../..', import.meta.url).pathname;
const machines = new Map(
  readdirSync(join(home, 'machines'))
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => [file.replace('.yaml', ''), parse(readFileSync(join(home, 'machines', file), 'utf8')) as Machine]),
);

describe.each(['gpt', 'mbr'] as const)('what is written of an image with %s', (table) => {
  const layout = planPartitions('board', { table, sectorAlignment: '4MiB' });
  const [boot, , , state] = layout.partitions;
  if (!boot || !state) throw new Error('no partitions');
  // Boot programs in front, a range over two partitions and what lies between them, a copy of the table at the end.
  const ranges = [
    { start: 0, end: 20480 },
    { start: 131072, end: 393216 },
    { start: boot.startBytes, end: boot.startBytes + 50 * mebibyte },
    { start: state.startBytes - 2 * 4096, end: state.startBytes + 4096 },
    { start: layout.sizeBytes - 8192, end: layout.sizeBytes },
  ];
  const { content, table: outside } = flasherPayload(ranges, layout);

  test('covers every byte of the block map once', () => {
    const bytes = (list: Array<{ start: number; end: number }>): number => list.reduce((sum, { start, end }) => sum + end - start, 0);
    const pieces = [...content, ...outside].map(({ startBytes, sizeBytes }) => ({ start: startBytes, end: startBytes + sizeBytes })).toSorted((a, b) => a.start - b.start);
    for (const [index, piece] of pieces.entries()) expect(piece.start).toBeGreaterThanOrEqual(pieces[index - 1]?.end ?? 0);
    expect(bytes(pieces)).toBe(bytes(ranges));
    for (const { start, end } of pieces) expect(ranges.some((range) => range.start <= start && end <= range.end)).toBe(true);
  });

  test('what makes a disk startable comes after everything else, and its first sector last', () => {
    const inside = (at: number): boolean => layout.partitions.some(({ startBytes, sizeBytes }) => at >= startBytes && at < startBytes + sizeBytes);
    expect(content.every(({ startBytes }) => inside(startBytes))).toBe(true);
    expect(outside.some(({ startBytes }) => inside(startBytes))).toBe(false);
    expect(outside.map(({ startBytes }) => startBytes)).toEqual(outside.map(({ startBytes }) => startBytes).toSorted((a, b) => b - a));
    expect(outside.at(-1)).toEqual({ startBytes: 0, sizeBytes: 20480 });
  });

  test('is cut into pieces that show progress', () => {
    expect(content.filter(({ startBytes }) => startBytes < boot.startBytes + 50 * mebibyte).map(({ sizeBytes }) => sizeBytes / mebibyte)).toEqual([16, 16, 16, 2]);
    expect(pieceList([{ startBytes: 8192, sizeBytes: 4096, sha256: 'ab' }])).toBe('2 1 ab\n');
    expect(payloadNumbers(layout)).toBe(`image_blocks=${layout.sizeBytes / 4096}\nfirst_block=1024\nboot_block=${boot.startBytes / 4096}\n`);
  });
});

describe('the medium', () => {
  test('has room for its files, and identifiers that are not those of the image', () => {
    expect(flasherRoomBytes(new Map([['flasher/content', 200 * mebibyte]]))).toBeGreaterThan(205 * mebibyte);
    // FAT32 has 65525 clusters at least.
    expect(flasherRoomBytes(new Map([['A/kernel', 1]])) / 1024).toBeGreaterThan(65525 + 1000);
    const image = planPartitions('board', { table: 'gpt' });
    const layout = flasherLayout('board', { table: 'gpt' }, 90 * mebibyte);
    expect(layout.diskId).not.toBe(image.diskId);
    expect(layout.partitions).toHaveLength(1);
    expect(layout.partitions[0]?.uuid).not.toBe(image.partitions[0]?.uuid);
    expect(layout.sizeBytes).toBe((4 + 92 + 1) * mebibyte);
  });

  test('with an MBR has a table of one partition, active, of FAT32', () => {
    const layout = flasherLayout('board', { table: 'mbr' }, 80 * mebibyte);
    const [only, ...others] = encodeMbr(layout);
    expect(others).toEqual([]);
    expect([...(only?.bytes.subarray(446, 462) ?? [])]).toEqual([0x80, 0xfe, 0xff, 0xff, 0x0c, 0xfe, 0xff, 0xff, 0, 0x20, 0, 0, 0, 0x80, 2, 0]);
    expect(only?.bytes.subarray(462, 510).every((byte) => byte === 0)).toBe(true);
  });

  test('a file that FAT cannot hold is refused', () => {
    expect(() => flasherRoomBytes(new Map([['flasher/content', 2 ** 32]]))).toThrow(expect.objectContaining({ code: 'OSB_IMAGE_TOO_LARGE' }));
  });
});

describe('the plan of a flasher', () => {
  const ref = (output: string) => ({ task: 'provider', output });
  const provided: ProvidedRoot = { tasks: [], rootfs: ref('rootfs.tar'), kernel: ref('vmlinuz'), deviceTrees: ref('trees.tar'), bootLoader: ref('loader.tar'), modules: ref('modules.tar'), initrdPackages: ref('files.tar'), manifest: ref('manifest.json') };
  const request = (name: string, machine: Machine): ImageRequest => ({
    machine: { name, machine, file: `machines/${name}.yaml` },
    recipes: [
      {
        name: 'initrd',
        folder: '/recipes/initrd',
        recipe: { description: 'x', initrd: { modules: ['vfat'], programs: ['/usr/bin/busybox', '/usr/sbin/e2fsck'] } },
        files: ['flasher/init', 'flasher/lib/write.sh', 'initrd/init', 'initrd/lib/disk.sh'].map((path) => ({ path, digest: path, type: 'file' as const })),
      },
    ],
    mode: 'production',
    os: { name: 'Minke OS', id: 'minke', version: '1.0' },
    config: {},
    signers: [],
    epoch: 1,
    debian: { suite: 'trixie', components: ['main'], exclude: [] },
  });
  const given = { tools: 'tools', initrdPrograms: { 'minke-verity': { task: 'program', output: 'minke-verity' } } };
  const plan = (name: string, machine: Machine) => planFlasher(request(name, machine), provided, given, planImage(request(name, machine), provided, given));
  const withFlasher = [...machines].filter(([, { flasher }]) => flasher !== undefined);

  test('boards with storage of their own have one', () => {
    expect(withFlasher.map(([name]) => name)).toEqual(expect.arrayContaining(['beaglebone-black', 'beaglebone-green', 'beaglebone-green-wifi', 'genericx86-64']));
  });

  test.each(withFlasher)('%s: of the image it was planned with, with its own first program, and never quiet', (name, machine) => {
    const { tasks, artifacts } = plan(name, machine);
    const [initrd, flasher] = tasks as [Task<'image/initrd'>, Task<'image/flasher'>];
    const scripts = initrd.inputs['scripts:initrd'];
    expect(scripts?.from === 'sources' && scripts.files.map(({ path }) => path)).toEqual(['flasher/init', 'flasher/lib/write.sh', 'initrd/lib/disk.sh']);
    expect(initrd.args.modules).toEqual(expect.arrayContaining(['vfat', 'loop']));
    expect(initrd.args.programs).toEqual(['/usr/bin/busybox']);
    expect(initrd.args.settings['flasher_disks']).toBe(machine.flasher?.disks.join(' '));
    expect(flasher.args.commandLine).not.toContain('quiet');
    expect(flasher.inputs['image']).toEqual({ from: 'task', task: `image/${name}/disk`, output: 'disk.img.zst' });
    expect(flasher.args.areas?.areas.map(({ name: area }) => area)).toEqual(machine.boot.method === 'u-boot' ? machine.boot.areas?.map(({ name: area }) => area) : undefined);
    expect(artifacts.map(({ fileName }) => fileName)).toEqual(['.img.zst', '.bmap', '.json', '.SHA256SUMS'].map((ending) => `minke-${name}-1.0-flasher${ending}`));
  });

  test('a machine that does not say which disk is its own has none', () => {
    const machine = machines.get('raspberrypi3');
    if (!machine) throw new Error('no raspberrypi3');
    expect(() => plan('raspberrypi3', machine)).toThrow(expect.objectContaining({ code: 'OSB_CONFIG_INVALID', hint: expect.stringContaining('flasher') }));
  });
});
