import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatVerity } from '../../src/engine/verity/index.ts';
import { loaderConf, loaderEntry } from '../../src/image/systemd-boot.ts';

const scripts = new URL('../../recipes/initrd/initrd/', import.meta.url).pathname;
const shell = spawnSync('busybox', ['true']).error === undefined ? ['busybox', 'sh'] : ['sh'];
const verity = (slot: 'A' | 'B') => ({ rootHash: slot.toLowerCase().repeat(64), salt: '0'.repeat(64), dataBlocks: 5, hashStart: 5 });

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'osbuild-initrd-verity-'));
  put('proc/cmdline', 'quiet');
  put('run/.keep', '');
  put('sysroot/usr/lib/systemd/systemd', 'systemd');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (path: string, content: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
};
const text = (path: string): string | undefined => (existsSync(join(folder, path)) ? readFileSync(join(folder, path), 'utf8') : undefined);

/** What cannot be read, as the kernel would see it; everything else can. */
interface Broken {
  /** Mappings that the kernel takes none of: minke-root, minke-other. */
  map?: string[];
  /** Mounts of these devices fail. */
  mount?: string[];
  /** Reading all of it fails. */
  read?: boolean;
  /** The first programs cannot be read. */
  first?: boolean;
}

/** Does what init does for the root of slot A, on a board whose boot partition is the folder `boot`. Everything that is done to the system is a line. */
function mountRoot({ map = [], mount = [], read = false, first = false }: Broken = {}): string[] {
  put('bin/minke-verity', `#!/bin/sh\necho "$*" >>${folder}/mapped\ncase "$1 $2" in ${['none', ...map.map((name) => `"map ${name}"`)].join('|')}) echo "minke-verity: refused" >&2; exit 1 ;; esac\n`);
  chmodSync(join(folder, 'bin/minke-verity'), 0o755);
  const load = ['console', 'disk', 'fat', 'verity', 'fallback'].map((part) => `. ${scripts}lib/${part}.sh`).join('\n');
  const script = `${load}
say() { echo "say: $*"; }
warn() { echo "warn: $*"; }
die() { echo "die: $*"; exit 1; }
reboot() { echo reboot; exit 0; }
umount() { echo "umount $*"; }
sync() { :; }
mount_fat() { echo "mount boot $1"; rm -rf ${folder}/run/boot && ln -s ${folder}/boot ${folder}/run/boot; }
mount() { case " ${['none', ...mount].join(' ')} " in *" $5 "*) return 1 ;; esac; echo "mount $*"; }
reads_whole() { ${read ? 'false' : 'true'}; }
${first ? 'cat() { case $1 in */systemd) return 1 ;; esac; command cat "$@"; }' : ''}
partition_of_disk() { echo "vda$2"; }
root=${folder}/sysroot root_type=erofs boot=vda1 disk=vda root_a_partition=2 root_b_partition=3
mkdir -p ${folder}/run
mount_root vda2 A`.replaceAll('/run/minke', `${folder}/run`);
  const moved = script.replace(/\. (\S+\.sh)/g, (_, file: string) => readFileSync(file, 'utf8').replaceAll('/run/minke', `${folder}/run`));
  const [program = 'sh', ...words] = [...shell, '-c', moved];
  const { stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', env: { PATH: `${folder}/bin:${process.env['PATH'] ?? ''}`, proc: join(folder, 'proc'), sys: join(folder, 'sys') } });
  expect(stderr).toBe('');
  return stdout.trim().split('\n').map((line) => line.replaceAll(folder, ''));
}

/** `unified`: systemd-boot, and kernels that have their initrd inside. */
type Loader = 'systemd-boot' | 'u-boot' | 'unified';
const entry = (loader: Loader, slot: 'A' | 'B', generation: number): string => loaderEntry({ slot, title: 'Minke OS', version: '1', generation, commandLine: ['quiet'], verity: verity(slot), unified: loader === 'unified' });

/** As the builder and the engine leave the boot partition: slot A kept, slot B as well where it is there. */
function bootPartition(loader: Loader, { b = true } = {}): void {
  for (const slot of b ? (['A', 'B'] as const) : (['A'] as const)) {
    put(`boot/${slot}/kernel`, 'kernel');
    if (loader !== 'unified') put(`boot/${slot}/initrd`, 'initrd');
    if (loader === 'u-boot') put(`boot/${slot}/verity.env`, `os_verity=minke.verity=${formatVerity(verity(slot))}\n`);
    else put(`boot/loader/entries/minke-${slot.toLowerCase()}.conf`, entry(loader, slot, slot === 'A' ? 7 : 6));
  }
  if (loader === 'u-boot') put('boot/minke/slot.env', 'slot=A\n');
  else put('boot/loader/loader.conf', loaderConf);
}
const commandLine = (...words: string[]): void => put('proc/cmdline', `${['quiet', 'minke.slot=A', `minke.verity=${formatVerity(verity('A'))}`, ...words].join(' ')}\n`);

describe('the root', () => {
  test('is mounted as it is where the loader tells of no tree', () => {
    expect(mountRoot()).toEqual(['mount -t erofs -o ro /dev/vda2 /sysroot']);
    expect(text('run/root')).toBe('vda2\n');
    expect(text('mapped')).toBeUndefined();
  });

  test('is not mounted without a tree where the command line is a signed one', () => {
    put('proc/cmdline', 'quiet minke.strict minke.slot=A\n');
    expect(mountRoot()).toEqual(['die: nothing says how the root of slot A is checked, and no other one is started here']);
  });

  test('is read through its tree where there is one', () => {
    commandLine();
    expect(mountRoot()).toEqual(['mount -t erofs -o ro /dev/mapper/minke-root /sysroot']);
    expect(text('mapped')).toBe(`map minke-root /dev/vda2 ${formatVerity(verity('A'))}\n`);
    expect([text('run/root'), text('run/root-damaged')]).toEqual(['mapper/minke-root\n', undefined]);
  });

  test.each<[string, Broken]>([['cannot be mapped', { map: ['minke-root'] }], ['cannot be mounted', { mount: ['/dev/mapper/minke-root'] }], ['lacks what a start begins with', { first: true }]])('of a slot on trial that %s ends the start', (_, broken) => {
    bootPartition('u-boot');
    commandLine('minke.trial');
    expect(mountRoot(broken).at(-1)).toBe('die: slot A, which is on trial, cannot be read as it was written');
    expect(text('boot/minke/slot.env')).toBe('slot=A\n');
  });
});

describe.each<Loader>(['systemd-boot', 'u-boot', 'unified'])('a kept slot that is damaged, with %s', (loader) => {
  const chosen = (): string => (loader === 'u-boot' ? (text('boot/minke/slot.env') ?? '') : (text('boot/loader/entries/minke-b.conf') ?? ''));
  const toB = loader === 'u-boot' ? 'slot=B\n' : entry(loader, 'B', 8);
  const damaged: Broken = { mount: ['/dev/mapper/minke-root'] };
  beforeEach(() => commandLine());

  /** It starts as it would without a tree, and says that it is damaged. */
  function startsUnchecked(broken: Broken): void {
    const before = [chosen(), text('boot/minke/damaged')];
    const lines = mountRoot(broken);
    expect(lines.slice(-2)).toEqual(['warn: there is no other slot that is whole: starting slot A without checking it', 'mount -t erofs -o ro /dev/vda2 /sysroot']);
    expect(lines).not.toContain('reboot');
    expect([text('run/root'), text('run/root-damaged')]).toEqual(['vda2\n', 'vda2\n']);
    expect([chosen(), text('boot/minke/damaged')]).toEqual(before);
  }

  test.each<[string, Broken]>([['mapped', { map: ['minke-root'] }], ['mounted', damaged], ['read', { first: true }]])('and cannot be %s is left for the other one, which the loader starts from now on', (_, broken) => {
    bootPartition(loader);
    const lines = mountRoot(broken);
    expect(lines.slice(-3)).toEqual(['umount /run/boot', 'warn: starting slot B, which is whole', 'reboot']);
    expect(chosen()).toBe(toB);
    expect(text('boot/minke/damaged')).toBe('A\n');
    expect(text('mapped')).toContain(`map minke-other /dev/vda3 ${formatVerity(verity('B'))}\nunmap minke-other\n`);
  });

  test('is not left for a slot that is not there', () => {
    bootPartition(loader, { b: false });
    startsUnchecked(damaged);
    expect(text('mapped')).not.toContain('minke-other');
  });

  test.each<[string, Broken]>([['cannot be mapped', { ...damaged, map: ['minke-other'] }], ['cannot be read to its end', { ...damaged, read: true }]])('is not left for a slot that %s', (_, broken) => {
    bootPartition(loader);
    startsUnchecked(broken);
  });

  test('is not left for the slot that it came from: nothing goes to and fro', () => {
    bootPartition(loader);
    put('boot/minke/damaged', 'B\n');
    startsUnchecked(damaged);
  });

  test('is not left for a slot that was tried in vain, or is being written', () => {
    bootPartition(loader);
    if (loader === 'u-boot') put('boot/minke/try.env', 'tries=0\ntry=B\n\0');
    else {
      put('boot/loader/entries/minke-b+0-1.conf', text('boot/loader/entries/minke-b.conf') ?? '');
      rmSync(join(folder, 'boot/loader/entries/minke-b.conf'));
    }
    startsUnchecked(damaged);
    if (loader !== 'u-boot') return;
    rmSync(join(folder, 'boot/minke/try.env'));
    rmSync(join(folder, 'boot/B/verity.env'));
    startsUnchecked(damaged);
  });

  test('is left with a signed command line as well; where there is no other one nothing is started, rather than something unchecked', () => {
    commandLine('minke.strict');
    bootPartition(loader);
    expect(mountRoot(damaged).at(-1)).toBe('reboot');
    rmSync(join(folder, 'boot'), { recursive: true });
    bootPartition(loader, { b: false });
    const lines = mountRoot(damaged);
    expect(lines.at(-1)).toBe('die: slot A is damaged, and there is no other slot that is whole');
    expect(lines.filter((line) => line.startsWith('mount -t'))).toEqual([]);
  });

  test('is not left for a slot whose kernel the firmware would not start', () => {
    bootPartition(loader);
    const variable = (enforced: number): void => put('sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c', String.fromCharCode(6, 0, 0, 0, enforced));
    variable(1);
    if (loader !== 'unified') startsUnchecked(damaged);
    else expect(mountRoot(damaged).at(-1)).toBe('reboot');
    rmSync(join(folder, 'boot/minke'), { recursive: true, force: true });
    bootPartition(loader);
    variable(0);
    expect(mountRoot(damaged).at(-1)).toBe('reboot');
  });

  test('is not left for a slot without a kernel, or without an initrd where that stands beside it', () => {
    for (const file of loader === 'unified' ? ['kernel'] : ['kernel', 'initrd']) {
      bootPartition(loader);
      rmSync(join(folder, 'boot/B', file));
      startsUnchecked(damaged);
    }
  });

  test('is not left for a release without a tree: nobody knows whether it is whole', () => {
    bootPartition(loader);
    if (loader === 'u-boot') rmSync(join(folder, 'boot/B/verity.env'));
    else put('boot/loader/entries/minke-b.conf', loaderEntry({ slot: 'B', title: 'Minke OS', version: '1', generation: 6, commandLine: ['quiet'] }));
    startsUnchecked(damaged);
  });
});
