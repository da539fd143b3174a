// A board with two slots in memory: how it is flashed, what its boot loader does at a start, which slot is whole.
import { createHash } from 'node:crypto';

import { expect } from 'vitest';

import { compareVersions } from '../../../../src/engine/os/release.ts';
import { formatVerity } from '../../../../src/engine/verity/index.ts';
import { loaderConf, loaderEntry } from '../../../../src/image/systemd-boot.ts';
import { release, script, started, type Disk } from './fake-device.ts';

export type Slot = 'A' | 'B';
/** `signed`: systemd-boot with kernels that have their command lines inside. */
export type Loader = 'systemd-boot' | 'u-boot' | 'signed';

export const old = release('1.0');
export const next = release('1.1');
export const releases = { [`sha256:${'1'.repeat(64)}`]: old, [`sha256:${'2'.repeat(64)}`]: next };
export const nextId = Object.keys(releases)[1] ?? '';

/** The same for boards with that loader. */
export const releasesFor = (loader: Loader): typeof releases =>
  loader !== 'signed' ? releases : Object.fromEntries(Object.entries(releases).map(([id, one]) => [id, { ...one, release: { ...one.release, unified: { certificate: 'c'.repeat(64) } } }]));

/** A device as it is flashed: the old release in slot A, in slot B what the medium has there, since a flashing tool leaves it out. */
export function flashed(loader: Loader): Disk {
  const disk: Disk = { files: new Map(), folders: new Set(['/boot']) };
  const put = (path: string, content: string | Buffer): void => void disk.files.set(path, Buffer.from(content));
  put('/boot/A/kernel', old.kernel);
  put('/boot/A/dtb/a.dtb', 'tree 1.0');
  put('/boot/A/initrd', 'initrd 1.0');
  put('/boot/config.json', '{}');
  const shared = { 'boot.scr': script('1.0'), 'EFI/loader.efi': 'loader 1.0' };
  for (const [path, content] of Object.entries(shared)) put(`/boot/${path}`, content);
  put('/boot/minke/shared.json', JSON.stringify(Object.fromEntries(Object.entries(shared).map(([path, content]) => [path, createHash('sha256').update(content).digest('hex')]))));
  put('/dev/vda2', old.partition);
  put('/dev/vda3', Buffer.alloc(3 * 4096, 0xff));
  const { verity } = old.release.slot;
  if (verity === undefined) throw new Error('the old release has a tree');
  if (loader === 'u-boot') {
    put('/boot/minke/slot.env', 'slot=A\n');
    put('/boot/A/verity.env', `os_verity=minke.verity=${formatVerity(verity)}\n`);
  } else {
    put('/boot/loader/loader.conf', loaderConf);
    put('/boot/loader/entries/minke-a.conf', loaderEntry({ slot: 'A', title: 'Minke OS', version: '1.0', generation: 1, commandLine: ['quiet'], verity, unified: loader === 'signed' }));
  }
  started(disk, 'A', '1.0');
  return disk;
}

export const text = (disk: Disk, path: string): string => disk.files.get(path)?.toString('utf8') ?? '';

/** What a start does, by the documentation of the loaders: which slot, and what is written down when one is tried. */
export function start(disk: Disk, loader: Loader): Slot {
  if (loader === 'u-boot') {
    const value = (file: string, name: string): string | undefined => new RegExp(`^${name}=(.)$`, 'm').exec(text(disk, file))?.[1];
    const tried = value('/boot/minke/try.env', 'try');
    if (value('/boot/minke/try.env', 'tries') === '1') {
      disk.files.set('/boot/minke/try.env', Buffer.from(`tries=0\ntry=${tried}\n\0`));
      return tried as Slot;
    }
    return (value('/boot/minke/slot.env', 'slot') ?? 'A') as Slot;
  }
  expect(text(disk, '/boot/loader/loader.conf')).toMatch(/^default minke-\*$/m);
  const entries = [...disk.files.keys()].flatMap((path) => {
    const match = /^\/boot\/loader\/entries\/(minke-([ab])(?:\+(\d+)(?:-(\d+))?)?\.conf)$/.exec(path);
    return match === null ? [] : [{ path, slot: (match[2] ?? '').toUpperCase() as Slot, left: match[3] === undefined ? null : Number(match[3]), done: Number(match[4] ?? 0), version: /^version\s+(\S+)/m.exec(text(disk, path))?.[1] ?? '' }];
  });
  // src/boot/boot.c, boot_entry_compare: no tries left last, then the higher version, then more tries left.
  const [first] = entries.toSorted((a, b) => Number(a.left === 0) - Number(b.left === 0) || compareVersions(b.version, a.version) || (b.left ?? 0) - (a.left ?? 0));
  if (first === undefined) throw new Error('nothing to start');
  if (first.left !== null && first.left > 0) {
    disk.files.set(first.path.replace(/\+.*$/, `+${first.left - 1}-${first.done + 1}.conf`), disk.files.get(first.path) ?? Buffer.alloc(0));
    disk.files.delete(first.path);
  }
  return first.slot;
}

/** What the loader tells the initrd of a slot's hash tree. */
export function toldTree(disk: Disk, slot: Slot): string | undefined {
  const entry = [...disk.files.keys()].find((path) => path.startsWith(`/boot/loader/entries/minke-${slot.toLowerCase()}`) && path.endsWith('.conf'));
  return /minke\.verity=(\S+)/.exec(text(disk, entry ?? `/boot/${slot}/verity.env`))?.[1];
}

/** The release whose kernel, device tree, initrd and root stand whole in a slot, with the tree that the loader tells of. */
export function whole(disk: Disk, slot: Slot): string | undefined {
  const root = disk.files.get(slot === 'A' ? '/dev/vda2' : '/dev/vda3');
  return [old, next].find(({ release: { os: { version }, slot: { verity } }, kernel, partition }) =>
    text(disk, `/boot/${slot}/kernel`) === kernel && text(disk, `/boot/${slot}/dtb/a.dtb`) === `tree ${version}` && text(disk, `/boot/${slot}/initrd`) === `initrd ${version}` && root?.subarray(0, partition.length).equals(partition) === true && toldTree(disk, slot) === (verity === undefined ? undefined : formatVerity(verity)))?.release.os.version;
}
