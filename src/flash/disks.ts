import { readFile } from 'node:fs/promises';

import { capture, shellLine } from '../exec/index.ts';
import { OsbuildError } from '../model/index.ts';
import { runThere, type HostConnection } from '../remote/index.ts';

/** A whole disk of a host, as the kernel tells. */
export interface Disk {
  /** Such as /dev/sdb. */
  path: string;
  sizeBytes: number;
  model: string;
  /** usb, mmc, nvme, sata …; empty where the kernel does not say. */
  transport: string;
  readOnly: boolean;
  /** Can be taken out: a card, a stick. */
  removable: boolean;
  /** Of the disk and all that stands on it. */
  uses: DiskUse[];
}

/** A reason why a disk, or a part of it, is not free. */
export interface DiskUse {
  device: string;
  kind: 'mounted' | 'swap' | 'mapped';
  /** Mount point, or what it is mapped to. */
  where: string;
}

/** What `lsblk --json` says of a device; numbers may be text in older versions. */
export interface LsblkDevice {
  path: string;
  type: string;
  size: number | string;
  ro: boolean | string;
  rm: boolean | string;
  hotplug: boolean | string;
  tran: string | null;
  vendor: string | null;
  model: string | null;
  'maj:min': string;
  children?: LsblkDevice[];
}

const columns = ['PATH', 'TYPE', 'SIZE', 'RO', 'RM', 'HOTPLUG', 'TRAN', 'VENDOR', 'MODEL', 'MAJ:MIN'];

/** What lists the disks of a host, and then the files that tell how they are used. */
export const lsblkCommand = ['lsblk', '--json', '--bytes', '--output', columns.join(',')];
const [mountInfoFile, swapsFile] = ['/proc/self/mountinfo', '/proc/swaps'] as const;

/** All disks of this host that could carry an image, in the kernel's order. Throws OSB_HOST_UNFIT without lsblk. */
export async function listDisks(env: Record<string, string>, signal: AbortSignal): Promise<Disk[]> {
  const { exitCode, stdout, stderr } = await capture(lsblkCommand, { env, signal });
  if (exitCode !== 0) throw new OsbuildError('OSB_HOST_UNFIT', `lsblk cannot list the disks: ${stderr.trim()}`);
  const [mountInfo, swaps] = await Promise.all([readFile(mountInfoFile, 'utf8'), readFile(swapsFile, 'utf8')]);
  return disksOf(parseLsblk(stdout), mountInfo, swaps);
}

/** The same of a host that is reached over SSH. Throws OSB_HOST_UNFIT, OSB_REMOTE_HOST, OSB_CANCELLED. */
export async function listDisksThere(connection: HostConnection, signal: AbortSignal): Promise<Disk[]> {
  const { exitCode, stdout, stderr } = await runThere(connection, `${shellLine(lsblkCommand)} && printf '\\0' && cat ${mountInfoFile} && printf '\\0' && cat ${swapsFile}`, signal);
  const [devices = '', mountInfo = '', swaps = ''] = stdout.split('\0');
  if (exitCode !== 0) throw new OsbuildError('OSB_HOST_UNFIT', `the disks of ${connection.name} cannot be listed: ${stderr.trim()}`, { hint: 'it takes lsblk there, of util-linux' });
  return disksOf(parseLsblk(devices), mountInfo, swaps);
}

const parseLsblk = (stdout: string): LsblkDevice[] => (JSON.parse(stdout) as { blockdevices: LsblkDevice[] }).blockdevices;

/** Disks of lsblk's tree, with their uses of /proc/self/mountinfo and /proc/swaps. */
export function disksOf(devices: readonly LsblkDevice[], mountInfo: string, swaps: string): Disk[] {
  const mounts = parseMountInfo(mountInfo);
  const swapDevices = new Set(swaps.split('\n').slice(1).map((line) => line.split(/\s/)[0] ?? ''));
  return devices
    .filter(({ type, path }) => type === 'disk' ? !/^\/dev\/(zram|ram|nbd|fd)\d/.test(path) : type === 'loop')
    .map((device) => ({
      path: device.path,
      sizeBytes: Number(device.size),
      model: [device.vendor, device.model].map((word) => word?.trim() ?? '').filter((word) => word !== '' && !word.startsWith('0x')).join(' '),
      transport: device.tran ?? (device.path.startsWith('/dev/mmcblk') ? 'mmc' : device.type === 'loop' ? 'loop' : ''),
      readOnly: isTrue(device.ro),
      removable: isTrue(device.rm) || isTrue(device.hotplug) || device.tran === 'usb',
      uses: usesOf(device, mounts, swapDevices),
    }));
}

/** A disk may be overwritten, or why not; `overridable` names the option that says so all the same. */
export type Judgement = { free: true } | { free: false; why: string; hint: string; overridable?: '--fixed' };

export interface DiskNeeds {
  imageBytes: number;
  fixed: boolean;
  /** The host that the disk is of, where it is reached over SSH. */
  host?: string;
}

/** Whether an image may go onto a disk. Pure; the kernel has the last word when the disk is opened. */
export function judgeDisk(disk: Disk, needs: DiskNeeds): Judgement {
  const own = `this is a disk of ${needs.host ?? 'this computer'}; take another`;
  const runs = disk.uses.find(({ kind, where }) => kind === 'mounted' && /^\/(mnt\/(boot|state|data))?$/.test(where));
  if (runs && needs.host !== undefined) {
    return { free: false, why: `${needs.host} runs from it: ${runs.device} is mounted at ${runs.where}`, hint: 'to replace the OS that runs there, update it: `minke os update FILE.os.tar` (docs/updates.md)' };
  }
  const mapped = disk.uses.find(({ kind }) => kind !== 'mounted');
  if (mapped) return { free: false, why: `${mapped.device} is in use as ${mapped.where}`, hint: own };
  const [mount] = disk.uses;
  if (mount) {
    const byHand = /^\/(media|run\/media|mnt)(\/|$)/.test(mount.where);
    const unmount = `umount ${mount.where}`;
    return { free: false, why: `${mount.device} is mounted at ${mount.where}`, hint: !byHand ? own : needs.host === undefined ? `sudo ${unmount}` : `${unmount}, there` };
  }
  if (disk.sizeBytes === 0) return { free: false, why: 'there is no medium in it', hint: 'put the card in' };
  if (disk.readOnly) return { free: false, why: 'it is write-protected', hint: 'move the lock of the card or of its adapter' };
  if (disk.sizeBytes < needs.imageBytes) {
    return { free: false, why: `it holds ${disk.sizeBytes} bytes, and the image needs ${needs.imageBytes}`, hint: 'take a larger one, or make data smaller: disk.data of the machine file' };
  }
  if (!disk.removable && !needs.fixed) return { free: false, why: 'it is a fixed disk', hint: 'if it is the right one, say --fixed', overridable: '--fixed' };
  return { free: true };
}

function usesOf(device: LsblkDevice, mounts: readonly Mounted[], swaps: ReadonlySet<string>): DiskUse[] {
  const own: DiskUse[] = mounts
    .filter(({ number, source }) => number === device['maj:min'] || source === device.path)
    .map(({ where }) => ({ device: device.path, kind: 'mounted', where }));
  if (swaps.has(device.path)) own.push({ device: device.path, kind: 'swap', where: 'swap' });
  const children = device.children ?? [];
  const mapped = children.filter(({ type }) => type !== 'part').map((child): DiskUse => ({ device: device.path, kind: 'mapped', where: `${child.type} ${child.path}` }));
  // Swap first, then mappings: what cannot be unmounted by hand is told before what can.
  return [...own, ...mapped, ...children.flatMap((child) => usesOf(child, mounts, swaps))].toSorted((a, b) => Number(a.kind === 'mounted') - Number(b.kind === 'mounted'));
}

interface Mounted {
  number: string;
  where: string;
  source: string;
}

/** Fields of proc(5), /proc/pid/mountinfo: device number third, mount point fifth, source after the dash and the type. */
function parseMountInfo(text: string): Mounted[] {
  const unescape = (word: string): string => word.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return text.split('\n').filter(Boolean).map((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const fields = before.split(' ');
    return { number: fields[2] ?? '', where: unescape(fields[4] ?? ''), source: unescape(after.split(' ')[1] ?? '') };
  });
}

const isTrue = (value: boolean | string): boolean => value === true || value === '1';
