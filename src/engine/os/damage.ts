import type { Device } from './device.ts';
import { isSlot, type Slot } from './slots.ts';

/** On the boot partition: the slot that a start could not read, so that the initrd went to the other one. The writer: recipes/initrd, lib/fallback.sh. */
const LEFT = 'minke/damaged';
/** Below /run/minke, of the slot that runs: something of it could not be read. The writers: the same, and a rule of udev in recipes/updates. */
const SEEN = 'root-damaged';
const MAPPED = 'mapper/';

/** How the root that runs is read: each block checked against the hash tree (dm-verity), or as it is. */
export const rootReading = ({ system: { files }, places }: Pick<Device, 'system' | 'places'>): 'verity' | 'plain' =>
  files.exists(`${places.run}/root`) && files.readText(`${places.run}/root`).startsWith(MAPPED) ? 'verity' : 'plain';

/** The slot that turned out to be damaged; the one that runs before the other. */
export function damagedSlot({ system: { files }, places, boot, running }: Pick<Device, 'system' | 'places' | 'boot' | 'running'>): Slot | undefined {
  if (files.exists(`${places.run}/${SEEN}`)) return running;
  const left = files.exists(`${boot.path}/${LEFT}`) ? files.readText(`${boot.path}/${LEFT}`).trim() : undefined;
  return isSlot(left) ? left : undefined;
}

/** The slot has been written anew. */
export async function forgetDamage({ system: { files }, boot }: Pick<Device, 'system' | 'boot'>, slot: Slot): Promise<void> {
  const path = `${boot.path}/${LEFT}`;
  if (files.exists(path) && files.readText(path).trim() === slot) await boot.writing(async () => files.unlink(path));
}
