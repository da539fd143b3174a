import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { flasherPayload, payloadNumbers, pieceList, type FlasherPiece } from '../../src/image/flasher-payload.ts';
import type { DiskLayout } from '../../src/image/partition-table.ts';

const recipe = new URL('../../recipes/initrd/', import.meta.url).pathname;
const has = (program: string, ...args: string[]): boolean => spawnSync(program, args).error === undefined;
const shell = has('busybox', 'true') ? ['busybox', 'sh'] : ['sh'];
const libraries = ['initrd/lib/console', 'initrd/lib/table', 'initrd/lib/disk', 'flasher/lib/failure', 'flasher/lib/target', 'flasher/lib/write', 'flasher/lib/carry'];

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'osbuild-flasher-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs lines with the flasher's functions; a failure ends the script, and what only a kernel can do is left out. */
function run(lines: string, variables: Record<string, string> = {}): { status: number | null; stdout: string; stderr: string } {
  const load = libraries.map((part) => `. ${recipe}${part}.sh`).join('\n');
  const stubs = [
    'say() { echo "say: $*"; }',
    'die() { echo "die: $*"; exit 3; }',
    'blockdev() { :; }',
    'forget_cached() { :; }',
    'load_for_hardware() { :; }',
    'load_all_drivers() { : >"$run/all-drivers"; }',
    'sleep() { :; }',
    // Time passes by being asked for, four seconds each time.
    'clock=0; uptime_seconds() { read -r now <"$run/clock" 2>/dev/null || now=0; echo $((now + 4)) >"$run/clock"; echo $now; }',
  ].join('\n');
  const [program = 'sh', ...args] = [...shell, '-c', `${load}\n${stubs}\n${lines}`];
  return spawnSync(program, args, { encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', run: folder, ...variables } });
}

test.each(['init', 'lib/failure.sh', 'lib/target.sh', 'lib/write.sh', 'lib/carry.sh'])('flasher/%s is valid for sh', (file) => {
  expect(spawnSync('sh', ['-n', `${recipe}flasher/${file}`], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
});

test('shellcheck finds nothing in the scripts', (context) => {
  if (!has('shellcheck', '--version')) context.skip('shellcheck is not installed');
  const files = ['init', 'lib/failure.sh', 'lib/target.sh', 'lib/write.sh', 'lib/carry.sh'].map((file) => `${recipe}flasher/${file}`);
  const result = spawnSync('shellcheck', ['-s', 'sh', '-e', 'SC1090,SC1091,SC2154,SC2034,SC2015', ...files], { encoding: 'utf8' });
  expect(result.stdout).toBe('');
});

describe('choosing the disk', () => {
  interface FakeDisk {
    path: string;
    mebibytes?: number;
    files?: Record<string, string>;
    partitions?: string[];
  }
  let sys = '';
  let count = 0;
  beforeEach(() => {
    sys = join(folder, `sys${count++}`);
    rmSync(join(folder, 'clock'), { force: true });
    mkdirSync(join(sys, 'class/block'), { recursive: true });
    mkdirSync(join(sys, 'empty-dev'));
  });

  /** Disks as sysfs shows them; keys are their names. */
  function disks(all: Record<string, FakeDisk>): void {
    for (const [name, { path, mebibytes = 8192, files = {}, partitions = [] }] of Object.entries(all)) {
      const at = join(sys, 'devices', path, 'block', name);
      const values: Record<string, string> = { size: String(mebibytes * 2048), ro: '0', removable: '0', 'device/model': `Model of ${name}`, ...files };
      for (const [file, text] of Object.entries(values)) {
        mkdirSync(dirname(join(at, file)), { recursive: true });
        writeFileSync(join(at, file), `${text}\n`);
      }
      symlinkSync(at, join(sys, 'class/block', name));
      for (const [index, partition] of partitions.entries()) {
        mkdirSync(join(at, partition));
        writeFileSync(join(at, partition, 'partition'), `${index + 1}\n`);
        writeFileSync(join(at, partition, 'size'), '2048\n');
        symlinkSync(join(at, partition), join(sys, 'class/block', partition));
      }
    }
  }

  const usb: FakeDisk = { path: 'pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0', files: { removable: '1' }, partitions: ['sdb1'] };
  const sata: FakeDisk = { path: 'pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0', partitions: ['sda1', 'sda2'] };
  const nvme: FakeDisk = { path: 'pci0000:00/0000:00:1d.0/0000:01:00.0/nvme/nvme0' };
  const card: FakeDisk = { path: 'platform/ocp/48060000.mmc/mmc_host/mmc0/mmc0:aaaa', files: { 'device/type': 'SD' }, partitions: ['mmcblk0p1'] };
  const emmc: FakeDisk = { path: 'platform/ocp/481d8000.mmc/mmc_host/mmc1/mmc1:0001', files: { 'device/type': 'MMC' } };

  function choose(medium: string, patterns: string, conf = ''): { stdout: string; status: number | null } {
    const settings = join(sys, 'flasher.conf');
    writeFileSync(settings, conf);
    return run('loader_partuuid() { :; }\nchoose_target; echo "target: $target"', { sys, settings, medium, machine: 'board', flasher_disks: patterns, dev: join(sys, 'empty-dev') });
  }
  const pc = 'nvme* */ata* */mmc_host/* */virtio*';

  test('the only disk of the board is taken; the medium, other sticks, cards, optical drives and memory are not', () => {
    disks({
      sda: sata,
      sdb: usb,
      sdc: { ...usb, path: usb.path.replace('2-1', '2-2'), partitions: [] },
      mmcblk0: card,
      sr0: { path: 'pci0000:00/0000:00:1f.2/ata2/host1/target1:0:0/1:0:0:0' },
      ram0: { path: 'virtual' },
    });
    rmSync(join(sys, 'class/block/ram0'));
    expect(choose('sdb', pc).stdout).toContain('target: sda\n');
  });

  test('an eMMC is told from the card by its place, and its boot areas are no disks', () => {
    disks({ mmcblk0: card, mmcblk1: emmc, mmcblk1boot0: { ...emmc, path: `${emmc.path}/boot` } });
    expect(choose('mmcblk0', '*/481d8000.mmc/*').stdout).toContain('target: mmcblk1\n');
  });

  test('among several none is chosen: the message names them and what to write', () => {
    disks({ sda: sata, nvme0n1: nvme, sdb: usb });
    const result = choose('sdb', pc);
    expect(result).toMatchObject({ status: 3 });
    expect(result.stdout).toMatch(/there is nvme0n1: 8192 MiB, Model of nvme0n1, .*\/nvme\/nvme0/);
    expect(result.stdout).toMatch(/die: several disks can be written \((nvme0n1 sda|sda nvme0n1)\).*flasher.conf.*disk=/);
    expect(result.stdout).not.toContain('target:');
  });

  test.each([
    ['its name', 'disk=nvme0n1\n'],
    ['a pattern of its path, as Windows writes lines', '# comment\r\n disk = */0000:01:00.0/*  \r\n'],
    ['the last of two', 'disk=sda\ndisk=nvme0n1\n'],
  ])('the owner names one of several by %s', (_how, conf) => {
    disks({ sda: sata, nvme0n1: nvme, sdb: usb });
    expect(choose('sdb', pc, conf).stdout).toContain('target: nvme0n1\n');
  });

  test('the medium is not written even when it is named, nor a copy of it', () => {
    disks({ sda: sata, sdb: usb, sdc: { ...usb, path: usb.path.replace('2-1', '2-2'), partitions: [] } });
    expect(choose('sdb', pc, 'disk=sdb\n').stdout).toMatch(/die: no disk is 'sdb'/);
    const signature = Buffer.alloc(512);
    signature.writeUInt32LE(0x1234abcd, 440);
    const dev = join(sys, 'dev');
    mkdirSync(dev);
    for (const [name, content] of Object.entries({ sda: Buffer.alloc(512), sdb: signature, sdc: signature })) writeFileSync(join(dev, name), content);
    const lines = 'loader_partuuid=1234abcd-01\nfor disk in sda sdb sdc; do is_medium $disk && echo "medium: $disk"; done';
    expect(run(lines, { sys, dev, medium: 'sdb' }).stdout).toBe('medium: sdb\nmedium: sdc\n');
  });

  test('without a disk of its own it says what there is, after every driver was tried', () => {
    disks({ sdb: usb, mmcblk0: card });
    rmSync(join(folder, 'all-drivers'), { force: true });
    const result = choose('sdb', pc);
    expect(existsSync(join(folder, 'all-drivers'))).toBe(true);
    expect(result.stdout).toContain('there is mmcblk0');
    expect(result.stdout).toMatch(/die: found none of the disks that board has on itself/);
  });

  test('a disk that is too small or read-only is refused before anything is written', () => {
    disks({ sda: { ...sata, mebibytes: 64 }, sdb: { ...sata, files: { ro: '1' }, partitions: [] } });
    const payload = join(sys, 'payload');
    mkdirSync(payload);
    writeFileSync(join(payload, 'numbers'), `image_blocks=${65 * 256}\n`);
    expect(run('target=sda; check_target', { sys, payload })).toMatchObject({ status: 3, stdout: 'die: sda is too small: it has 64 MiB, and the system needs 65 MiB\n' });
    expect(run('target=sdb; check_target', { sys, payload })).toMatchObject({ status: 3, stdout: 'die: sdb is read-only\n' });
    writeFileSync(join(payload, 'numbers'), `image_blocks=${64 * 256}\n`);
    expect(run('target=sda; check_target; echo "$device"', { sys, payload }).stdout).toMatch(/\n\/dev\/sda\n$/);
  });
});

describe('writing and reading back', () => {
  const mebibyte = 1024 ** 2;
  const layout: DiskLayout = {
    table: 'gpt',
    sizeBytes: 12 * mebibyte,
    diskId: '',
    partitions: [{ name: 'boot', number: 1, startBytes: 4 * mebibyte, sizeBytes: 7 * mebibyte, uuid: '' }],
    extended: null,
  };
  const image = randomBytes(layout.sizeBytes);
  const ranges = [
    { start: 0, end: 20480 },
    { start: 131072, end: 200704 },
    { start: 4 * mebibyte, end: 6 * mebibyte + 4096 },
    { start: 11 * mebibyte - 8192, end: 12 * mebibyte },
  ];
  let [payload, device] = ['', ''];
  let count = 0;

  beforeEach(() => {
    payload = join(folder, `payload${count}`);
    device = join(folder, `device${count++}`);
    mkdirSync(payload);
    const sums: string[] = [];
    const add = (name: string, content: string | Buffer): void => {
      writeFileSync(join(payload, name), content);
      sums.push(`${createHash('sha256').update(content).digest('hex')}  ${name}\n`);
    };
    const parts = flasherPayload(ranges, layout);
    const bytes = ({ startBytes, sizeBytes }: FlasherPiece): Buffer => image.subarray(startBytes, startBytes + sizeBytes);
    for (const part of ['content', 'table'] as const) {
      add(part, Buffer.concat(parts[part].map(bytes)));
      add(`${part}.list`, pieceList(parts[part].map((piece) => ({ ...piece, sha256: createHash('sha256').update(bytes(piece)).digest('hex') }))));
    }
    add('numbers', payloadNumbers(layout));
    writeFileSync(join(payload, 'SHA256SUMS'), sums.join(''));
    // An earlier system, and an odd number of sectors.
    writeFileSync(device, Buffer.alloc(14 * mebibyte + 512, 0xa5));
  });

  const all = 'check_payload; wipe_ends; write_pieces content; verify_pieces content; write_pieces table; verify_pieces table';

  test('every range is on the disk, and both ends hold nothing else', () => {
    const result = run(all, { payload, device });
    expect(result).toMatchObject({ status: 0, stderr: '' });
    const disk = readFileSync(device);
    for (const { start, end } of ranges) expect(disk.subarray(start, end).equals(image.subarray(start, end)), `${start}`).toBe(true);
    expect(disk.subarray(20480, 131072).equals(Buffer.alloc(131072 - 20480))).toBe(true);
    expect(disk.subarray(disk.length - mebibyte).equals(Buffer.alloc(mebibyte))).toBe(true);
    expect(disk.length).toBe(14 * mebibyte + 512);
    expect(result.stdout).toContain('say: writing content: 100 % (2 of 2 MiB)');
    expect(result.stdout).toContain('say: verifying table: 100 %');
  });

  test('cut off before the table, the disk has neither the first sectors nor boot programs nor a copy of the table', () => {
    expect(run('wipe_ends; write_pieces content', { payload, device }).status).toBe(0);
    const disk = readFileSync(device);
    expect(disk.subarray(0, 4 * mebibyte).equals(Buffer.alloc(4 * mebibyte))).toBe(true);
    expect(disk.subarray(11 * mebibyte, 12 * mebibyte).equals(image.subarray(11 * mebibyte))).toBe(false);
    expect(disk.subarray(disk.length - mebibyte).equals(Buffer.alloc(mebibyte))).toBe(true);
  });

  test('cut off within the table, the first blocks are what is missing', () => {
    const first = pieceList(flasherPayload(ranges, layout).table.map((piece) => ({ ...piece, sha256: '' }))).trim().split('\n');
    expect(first.at(-1)).toMatch(/^0 5\b/);
    // Power goes when all but the last piece are written.
    writeFileSync(join(payload, 'table.list'), `${readFileSync(join(payload, 'table.list'), 'utf8').trim().split('\n').slice(0, -1).join('\n')}\n`);
    run('wipe_ends; write_pieces content; write_pieces table', { payload, device });
    expect(readFileSync(device).subarray(0, 20480).equals(Buffer.alloc(20480))).toBe(true);
  });

  test('a disk that does not keep a byte is told, with the place', () => {
    const script = `${all.replace('; verify_pieces content', `; printf x | dd of="${device}" bs=1 seek=${4 * mebibyte + 7} conv=notrunc 2>/dev/null; verify_pieces content`)}`;
    const result = run(script, { payload, device });
    expect(result.status).toBe(3);
    expect(result.stdout).toMatch(/die: .*does not hold what was written to it, at 4 MiB/);
    expect(result.stdout).not.toContain('table');
  });

  test('a damaged medium is told before the disk is touched', () => {
    const packed = readFileSync(join(payload, 'content'));
    packed[packed.length >> 1] = (packed[packed.length >> 1] ?? 0) ^ 1;
    writeFileSync(join(payload, 'content'), packed);
    const before = createHash('sha256').update(readFileSync(device)).digest('hex');
    const result = run(all, { payload, device });
    expect(result).toMatchObject({ status: 3 });
    expect(result.stdout).toMatch(/die: the medium is damaged \(content: FAILED/);
    expect(createHash('sha256').update(readFileSync(device)).digest('hex')).toBe(before);
  });

  test('a payload that ends early is told while it is written', () => {
    truncateSync(join(payload, 'content'), 100_000);
    expect(run('wipe_ends; write_pieces content ', { payload, device })).toMatchObject({ status: 3, stdout: expect.stringContaining('die: the medium cannot be read to its end') });
  });

  test('a disk that cannot be written is told', () => {
    expect(run('wipe_ends', { payload, device: join(folder, 'no-folder', 'device') }).stdout).toContain('die: cannot write to');
    expect(run('write_pieces content ', { payload, device: '/dev/full' })).toMatchObject({ status: 3, stdout: expect.stringContaining('die: cannot write to /dev/full at 4 MiB') });
  });
});

describe('taking the configuration over', () => {
  test('config.json, extra_uEnv.txt and network profiles go along, and nothing else', () => {
    const [medium, target] = [join(folder, 'medium'), join(folder, 'target')];
    mkdirSync(join(medium, 'system-connections'), { recursive: true });
    mkdirSync(target);
    const files = { 'config.json': '{}', 'system-connections/home wifi.nmconnection': '[wifi]\n', 'system-connections/README.txt': 'x', 'flasher.conf': 'disk=x' };
    for (const [path, text] of Object.entries(files)) writeFileSync(join(medium, path), text);
    writeFileSync(join(target, 'config.json'), '{"hostname":"old and longer"}');
    expect(run(`copy_configuration ${medium} ${target} && same_configuration ${medium} ${target} && echo same`)).toMatchObject({ stdout: 'same\n', stderr: '' });
    expect(readFileSync(join(target, 'config.json'), 'utf8')).toBe('{}');
    expect(readFileSync(join(target, 'system-connections/home wifi.nmconnection'), 'utf8')).toBe('[wifi]\n');
    for (const path of ['flasher.conf', 'system-connections/README.txt', 'extra_uEnv.txt']) expect(existsSync(join(target, path)), path).toBe(false);
    writeFileSync(join(target, 'system-connections/home wifi.nmconnection'), '[wifi]?');
    expect(run(`same_configuration ${medium} ${target} || echo differs`).stdout).toBe('differs\n');
  });
});
