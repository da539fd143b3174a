import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readSync, renameSync, rmSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeDiskTable } from '../../src/image/disk-table.ts';
import { encodeMbr } from '../../src/image/mbr.ts';
import { planPartitions, type DiskLayout } from '../../src/image/partition-table.ts';

const scripts = new URL('../../recipes/initrd/initrd/', import.meta.url).pathname;
const has = (program: string, ...args: string[]): boolean => spawnSync(program, args).error === undefined;
const shell = has('busybox', 'true') ? ['busybox', 'sh'] : ['sh'];
const hasSfdisk = has('sfdisk', '--version');

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'osbuild-initrd-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs lines with functions of the initrd, with messages going to standard output and nothing told to a kernel. */
function run(lines: string, variables: Record<string, string> = {}): { status: number | null; stdout: string; stderr: string } {
  const load = ['console', 'disk', 'table', 'fat', 'filesystems', 'verity', 'fallback', 'state'].map((part) => `. ${scripts}lib/${part}.sh`).join('\n');
  const script = `${load}\nsay() { echo "say: $*"; }\nwarn() { echo "warn: $*"; }\nblockdev() { :; }\n${lines}`;
  const [program = 'sh', ...args] = [...shell, '-c', script];
  return spawnSync(program, args, { encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', ...variables } });
}

/** Some firmware finds its program by a table in front of the partition table: it must outlive whatever is done to that. */
const osip = { startBytes: 1024 ** 2, sizeBytes: 1024 ** 2, loadAddress: 0x0110_0000, entryAddress: 0x0110_1000 };
const bootCode = (file: string): string => {
  const bytes = Buffer.alloc(440);
  const fd = openSync(file, 'r');
  readSync(fd, bytes, 0, bytes.length, 0);
  closeSync(fd);
  return bytes.toString('hex');
};

function image(layout: DiskLayout, sizeBytes: number): string {
  const file = join(folder, `${layout.table}-disk`);
  rmSync(file, { force: true });
  const fd = openSync(file, 'w');
  ftruncateSync(fd, sizeBytes);
  for (const { offset, bytes } of encodeDiskTable(layout, osip)) writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
  return file;
}

const partitions = (file: string): Array<{ start: number; size: number; uuid?: string }> =>
  JSON.parse(spawnSync('sfdisk', ['--json', file], { encoding: 'utf8' }).stdout).partitiontable.partitions;
const faults = (file: string): string => spawnSync('sfdisk', ['--verify', file], { encoding: 'utf8' }).stdout;

test.each(['init', ...['console', 'disk', 'fallback', 'fat', 'filesystems', 'modules', 'state', 'table', 'verity'].map((part) => `lib/${part}.sh`)])('%s is valid for sh', (file) => {
  expect(spawnSync('sh', ['-n', scripts + file], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
});

test('shellcheck finds nothing in the scripts', (context) => {
  if (!has('shellcheck', '--version')) context.skip('shellcheck is not installed');
  // 1090, 1091: sources that do not exist here; 2154: variables of the configuration; 2059: printf of octal escapes.
  const files = ['init', 'lib/console.sh', 'lib/disk.sh', 'lib/fallback.sh', 'lib/fat.sh', 'lib/filesystems.sh', 'lib/modules.sh', 'lib/state.sh', 'lib/table.sh', 'lib/verity.sh'];
  const result = spawnSync('shellcheck', ['-s', 'sh', '-e', 'SC1090,SC1091,SC2154,SC2059,SC2034,SC2046', ...files.map((file) => scripts + file)], { encoding: 'utf8' });
  expect(result.stdout).toBe('');
});

describe('growing the disk on first boot', () => {
  const settle = (layout: DiskLayout, file: string): string => {
    const names: Record<string, string> = {
      run: folder,
      table: layout.table,
      disk_id: layout.diskId,
      data_partition: String(layout.partitions.find(({ name }) => name === 'data')?.number),
    };
    // The functions name devices below /dev: the image stands in for one.
    const { stdout, stderr } = run(`settle_${layout.table} ${file}; echo "changed: $changed"`, { ...names });
    expect(stderr).toBe('');
    return stdout;
  };

  describe.each(['gpt', 'mbr'] as const)('%s', (table) => {
    const layout = planPartitions('board', { table });
    let file = '';
    beforeEach((context) => {
      if (!hasSfdisk) context.skip('sfdisk is not installed');
      file = image(layout, 4 * 1024 ** 3);
    });

    test('data takes all there is, the others stay where they are, identifiers are new', () => {
      const [shipped, code] = [partitions(file), bootCode(file)];
      const output = settle(layout, file);
      expect(output).toContain('new identifiers');
      expect(output).toMatch(/data grows by \d+ MiB/);
      const grown = partitions(file);
      const last = grown.at(-1);
      expect(grown.slice(0, table === 'gpt' ? -1 : 3).map(({ start, size }) => [start, size])).toEqual(shipped.slice(0, table === 'gpt' ? -1 : 3).map(({ start, size }) => [start, size]));
      expect(last?.start).toBe(shipped.at(-1)?.start);
      const end = ((last?.start ?? 0) + (last?.size ?? 0)) * 512;
      expect(4 * 1024 ** 3 - end).toBeLessThanOrEqual(1024 ** 2);
      expect(faults(file)).toContain('No errors detected');
      const uuids = new Set([...grown, ...shipped].map(({ uuid }) => uuid));
      if (table === 'gpt') expect(uuids.size).toBe(10);
      expect(bootCode(file)).toBe(code);
    });

    test('a second boot changes nothing', () => {
      settle(layout, file);
      const once = partitions(file);
      expect(settle(layout, file)).toBe('changed: \n');
      expect(partitions(file)).toEqual(once);
    });
  });

  test('gpt: a primary table that a power cut damaged is repaired from its copy', (context) => {
    if (!hasSfdisk) context.skip('sfdisk is not installed');
    const layout = planPartitions('board', { table: 'gpt' });
    const file = image(layout, layout.sizeBytes);
    settle(layout, file);
    const [before, code] = [partitions(file), bootCode(file)];
    const fd = openSync(file, 'r+');
    writeSync(fd, Buffer.alloc(512, 0xee), 0, 512, 2 * 512);
    closeSync(fd);
    expect(settle(layout, file)).toContain('repaired from its copy');
    expect(partitions(file)).toEqual(before);
    expect(bootCode(file)).toBe(code);
    expect(code).toContain(Buffer.from('$OS$').toString('hex'));
    expect(faults(file)).toContain('No errors detected');
  });

  test('mbr: a power cut between any two writes leaves a table that the next boot finishes', () => {
    const layout = planPartitions('board', { table: 'mbr' });
    const whole = image(layout, 2 * 1024 ** 3);
    settle(layout, whole);
    const wanted = sectors(whole, layout);
    for (let writes = 0; writes < 4; writes++) {
      const file = image(layout, 2 * 1024 ** 3);
      // The write that the power cut hits does not happen, nor any after it.
      run(`left=${writes}\neval "real_$(sed -n '/^write_u32() {/,/^}/p' ${scripts}lib/table.sh)"\nwrite_u32() { [ $left -gt 0 ] || exit 1; left=$((left - 1)); real_write_u32 "$@"; }\nsettle_mbr ${file}`, {
        disk_id: layout.diskId,
        table: 'mbr',
      });
      if (hasSfdisk) expect(partitions(file), `after ${writes} writes`).toHaveLength(6);
      settle(layout, file);
      expect(sectors(file, layout), `after ${writes} writes`).toEqual(wanted);
    }
  });
});

/** Table sectors but for the random signature. */
function sectors(file: string, layout: DiskLayout): string[] {
  const fd = openSync(file, 'r');
  const found = encodeMbr(layout).map(({ offset }) => {
    const bytes = Buffer.alloc(512);
    readSync(fd, bytes, 0, 512, offset);
    if (offset === 0) bytes.fill(0, 440, 444);
    return bytes.toString('hex');
  });
  closeSync(fd);
  return found;
}

describe('an ext4 that has grown', () => {
  beforeEach((context) => {
    if (process.getuid?.() !== 0 || !has('mke2fs')) context.skip('needs root, and mke2fs');
  });

  test.each([
    ['96M', 24576 / 50],
    ['3G', 4096],
  ])('to %s keeps for itself at once what it keeps after the next start', (size, keeps) => {
    const [file, at] = [join(folder, `grown-${size}`), join(folder, `at-${size}`)];
    const on = (...argv: string[]): string => {
      const { status, stdout, stderr } = spawnSync(argv[0] ?? '', argv.slice(1), { encoding: 'utf8' });
      if (status !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
      return stdout.trim();
    };
    const kept = (): number => Number(on('cat', `/sys/fs/ext4/${on('findmnt', '-n', '-o', 'SOURCE', at).replace('/dev/', '')}/reserved_clusters`));
    mkdirSync(at);
    on('truncate', '-s', size, file);
    on('mke2fs', '-q', '-F', '-t', 'ext4', '-b', '4096', file);
    on('mount', '-o', 'loop', file, at);
    try {
      const device = on('findmnt', '-n', '-o', 'SOURCE', at).replace('/dev/', '');
      // As one has it that was mounted when it was small: growing one that is mounted is not for every root.
      writeFileSync(`/sys/fs/ext4/${device}/reserved_clusters`, '200\n');
      expect(kept()).toBe(200);
      expect(run(`keep_for_linux ${device} $(($(cat /sys/class/block/${device}/size) / 8))`)).toMatchObject({ status: 0, stdout: '', stderr: '' });
      expect(kept()).toBe(Math.floor(keeps));
      on('umount', at);
      on('mount', '-o', 'loop', file, at);
      expect(kept()).toBe(Math.floor(keeps));
    } finally {
      on('umount', at);
    }
  });
});

describe('finding the disk', () => {
  test.each(['gpt', 'mbr'] as const)('%s: the PARTUUID of the first partition is read from the table', (table) => {
    const layout = planPartitions('board', { table });
    const file = image(layout, layout.sizeBytes);
    expect(run(`first_partuuid ${file}`).stdout.trim()).toBe(layout.partitions[0]?.uuid);
  });

  // systemd-boot 257 writes capitals, U-Boot's scripts give the table's small letters.
  test.each(['EFI variable', 'kernel command line'] as const)('of two disks with our label the loader’s is taken, by its %s', (source) => {
    const place = join(folder, `loader-${source.length}`);
    const [sys, dev, proc] = ['sys', 'dev', 'proc'].map((name) => join(place, name)) as [string, string, string];
    for (const path of [join(sys, 'class/block'), join(sys, 'firmware/efi/efivars'), dev, proc]) mkdirSync(path, { recursive: true });
    const layouts = ['one', 'other'].map((seed) => planPartitions(seed, { table: 'gpt' }));
    for (const [index, layout] of layouts.entries()) {
      const disk = `sd${'ab'[index]}`;
      renameSync(image(layout, layout.sizeBytes), join(dev, disk));
      writeFileSync(join(dev, `${disk}1`), Buffer.concat([Buffer.alloc(71), Buffer.from('MINKE-BOOT ')]));
      mkdirSync(join(sys, 'devices', disk, `${disk}1`), { recursive: true });
      writeFileSync(join(sys, 'devices', disk, `${disk}1`, 'partition'), '1\n');
      symlinkSync(`../../devices/${disk}`, join(sys, 'class/block', disk));
      symlinkSync(`../../devices/${disk}/${disk}1`, join(sys, 'class/block', `${disk}1`));
    }
    const uuid = layouts[1]?.partitions[0]?.uuid ?? '';
    const find = (): string => run('mount() { :; }\nload_for_hardware() { return 1; }\nwait_for_boot_partition', { sys, dev, proc }).stdout;
    writeFileSync(join(proc, 'cmdline'), source === 'EFI variable' ? 'quiet\n' : `minke.boot=PARTUUID=${uuid}\n`);
    if (source === 'EFI variable') {
      writeFileSync(join(sys, 'firmware/efi/efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f'), Buffer.concat([Buffer.from([6, 0, 0, 0]), Buffer.from(`${uuid.toUpperCase()}\0`, 'utf16le')]));
    }
    expect(find()).toBe('sdb1\n');
  });

  test('partitions are found by number on their own disk, whatever the naming scheme', () => {
    const sys = join(folder, 'sys');
    const add = (disk: string, parts: Record<string, number>): void => {
      for (const [name, number] of Object.entries(parts)) {
        mkdirSync(join(sys, 'devices', disk, name), { recursive: true });
        writeFileSync(join(sys, 'devices', disk, name, 'partition'), `${number}\n`);
        mkdirSync(join(sys, 'class/block'), { recursive: true });
        symlinkSync(`../../devices/${disk}/${name}`, join(sys, 'class/block', name));
      }
      symlinkSync(`../../devices/${disk}`, join(sys, 'class/block', disk));
    };
    // Linux has the partition's folder inside the disk's, and both in class/block.
    const inside = (disk: string): void => void run(`for p in ${sys}/devices/${disk}/*; do :; done`);
    add('mmcblk0', { mmcblk0p1: 1, mmcblk0p2: 2, mmcblk0p6: 6 });
    add('sda', { sda1: 1, sda2: 2 });
    inside('sda');
    expect(run('disk_of_partition mmcblk0p6; partition_of_disk mmcblk0 6; partition_of_disk sda 2; partition_of_disk sda 6 || echo none', { sys }).stdout).toBe(
      'mmcblk0\nmmcblk0p6\nsda2\nnone\n',
    );
  });

  test('kernel parameters: the last of several counts, a missing one is empty', () => {
    mkdirSync(join(folder, 'proc'), { recursive: true });
    writeFileSync(join(folder, 'proc/cmdline'), 'quiet minke.slot=A minke.slot=B xminke.boot=no minke.boot=PARTUUID=1-2\n');
    expect(run('kernel_parameter minke.slot; kernel_parameter minke.boot; echo "[$(kernel_parameter none)]"', { proc: join(folder, 'proc') }).stdout).toBe('B\nPARTUUID=1-2\n[]\n');
  });

  test('numbers are written as four bytes, little-endian', () => {
    const file = join(folder, 'bytes');
    writeFileSync(file, Buffer.alloc(16, 0x55));
    expect(run(`write_u32 ${file} 4 3735928559; read_u32 ${file} 4; read_u32 ${file} 0; write_u32 ${file} 4 0; read_u32 ${file} 4; write_u32 ${file} 4 2560; read_u32 ${file} 4`).stdout).toBe(
      '3735928559\n1431655765\n0\n2560\n',
    );
  });
});

describe('writable paths', () => {
  test('the copy has the image’s content, its own mode, and appears only when it is whole', () => {
    const from = join(folder, 'image-etc');
    mkdirSync(join(from, 'inner'), { recursive: true });
    writeFileSync(join(from, 'inner/file'), 'content');
    const to = join(folder, 'state/root/etc/thing');
    mkdirSync(`${to}.new/left-over`, { recursive: true });
    const { stdout } = run(`seed ${from} ${to} 0750 - && cat ${to}/inner/file && stat -c %a ${to} && ls -A ${to} && ls -A ${join(folder, 'state/root/etc')}`);
    expect(stdout).toBe('content750\ninner\nthing\n');
  });

  test('a copy that cannot be made whole leaves nothing behind under its name', () => {
    const to = join(folder, 'state/root/etc/broken');
    expect(run(`seed ${join(folder, 'not-there')} ${to} - - || echo failed; ls ${to} 2>/dev/null`).stdout).toBe('failed\n');
  });
});

test.each(['reset-data', 'reset-data.txt'])('%s on the boot partition empties the partition, once', (marker) => {
  const [disk, boot] = [join(folder, 'data.img'), mkdtempSync(join(folder, 'boot-'))];
  const make = spawnSync('sh', ['-c', `rm -f ${disk} && truncate -s 16M ${disk} && mkdir -p ${folder}/old && echo x >${folder}/old/kept && mke2fs -q -t ext4 -d ${folder}/old ${disk}`], { encoding: 'utf8' });
  expect(make).toMatchObject({ status: 0, stderr: '' });
  const holds = (): string => spawnSync('debugfs', ['-R', 'ls -p /', disk], { encoding: 'utf8' }).stdout;
  // What is mounted where is the kernel's business.
  const reset = (): string => run(`mount() { echo "mount $*"; }\nreset_where_asked ${disk} data ${boot}`).stdout;
  expect(reset()).toBe('');
  expect(holds()).toContain('/kept/');
  writeFileSync(join(boot, marker), '');
  expect(reset()).toBe(`warn: data partition: made empty, as ${marker} on the boot partition asks\nmount -o remount,rw ${boot}\nmount -o remount,ro ${boot}\n`);
  expect(holds()).not.toContain('/kept/');
  expect(spawnSync('e2fsck', ['-f', '-n', disk]).status).toBe(0);
  expect(spawnSync('ls', ['-A', boot], { encoding: 'utf8' }).stdout).toBe('');
  expect(reset()).toBe('');
});
