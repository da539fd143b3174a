import { EngineError } from '../error.ts';
import type { System } from '../ports/index.ts';
import type { BootLoader } from './boot-loader.ts';
import { bootPartition, type BootPartition } from './boot-partition.ts';
import { isSlot, type Slot } from './slots.ts';
import { systemdBoot } from './systemd-boot.ts';
import { uboot } from './u-boot.ts';

export type OsSystem = Pick<System, 'files' | 'processes' | 'sockets' | 'clock' | 'machine'>;

/** Where things are; the tests have them elsewhere. */
export interface Places {
  /** What the initrd leaves word in. */
  run: string;
  boot: string;
  /** On the state partition. */
  state: string;
  /** On the data partition. */
  work: string;
  osRelease: string;
  devices: string;
  /** Public keys (.pem) of those who make releases. */
  keys: string;
  /** Programs of recipes that say whether a release works. */
  checks: string;
  /** On the data partition: shared files of a release that has been written and not yet been kept. */
  shared: string;
  /** Where the running release lies as the base of deltas, while an update loads (--delta-data-root of the engine's unit). */
  base: string;
  /** Programs of recipes that change state for the release that they come with. */
  migrations: string;
  /** Where applications lock files, so that the system is not restarted for an update. */
  locks: string;
  /** Variables of the UEFI firmware; not there on other boards. */
  firmware: string;
}

export const devicePlaces: Places = {
  run: '/run/minke',
  boot: '/mnt/boot',
  state: '/var/lib/minke/os',
  work: '/mnt/data/minke-os',
  osRelease: '/etc/os-release',
  devices: '/dev',
  keys: '/usr/lib/minke/os/keys',
  checks: '/usr/lib/minke/health.d',
  shared: '/mnt/data/minke-os-shared',
  base: '/run/minke/base',
  migrations: '/usr/lib/minke/migrations.d',
  locks: '/run/minke/locks',
  firmware: '/sys/firmware/efi/efivars',
};

/** A device that runs this OS. */
export interface Device {
  system: OsSystem;
  places: Places;
  /** The slot that runs. */
  running: Slot;
  /** VERSION_ID of the release that runs. */
  version: string;
  /** What it was built for. */
  machine: string;
  boot: BootPartition;
  loader: BootLoader;
}

/** Throws EngineError 'OS_NOT_HERE' where this OS does not run. */
export function openDevice(system: OsSystem, places: Places = devicePlaces): Device {
  const { files } = system;
  const slot = files.exists(`${places.run}/slot`) ? files.readText(`${places.run}/slot`).trim() : undefined;
  if (!isSlot(slot)) throw new EngineError('not-found', 'OS_NOT_HERE', 'this system was not started from a slot of Minke OS', { hint: 'minke os is for devices that run Minke OS; the engine needs no such thing' });
  const machine = files.readText(`${places.run}/machine`).trim();
  const boot = bootPartition(files, places.boot);
  const loader = files.exists(`${places.boot}/loader/loader.conf`) ? systemdBoot(files, boot) : uboot(files, boot);
  return { system, places, running: slot, version: osRelease(files.readText(places.osRelease), 'VERSION_ID') ?? '', machine, boot, loader };
}

/** The block device of a slot, as the initrd found it on the disk that was booted from. */
export function slotDevice({ system: { files }, places }: Pick<Device, 'system' | 'places'>, slot: Slot): string {
  return `${places.devices}/${files.readText(`${places.run}/root-${slot}`).trim()}`;
}

/** The block device that the root is mounted from: the slot's own, or the one through which dm-verity checks it. The kernel lets nobody mount the first while there is the second. */
export function rootDevice(device: Pick<Device, 'system' | 'places' | 'running'>): string {
  const { system: { files }, places, running } = device;
  const told = `${places.run}/root`;
  return files.exists(told) ? `${places.devices}/${files.readText(told).trim()}` : slotDevice(device, running);
}

/** A value of os-release(5), without its quotes. */
export function osRelease(text: string, name: string): string | undefined {
  const value = new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1];
  return value?.replace(/^(["'])(.*)\1$/, '$2');
}
