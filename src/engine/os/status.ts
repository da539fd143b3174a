import type { Device } from './device.ts';
import { damagedSlot, rootReading } from './damage.ts';
import { updateLocks, type UpdateLock } from './locks.ts';
import { migrationStatus, type MigrationStatus } from './migrations.ts';
import { textOf } from './config/steps.ts';
import { OVERLAYS } from './config/render.ts';
import { overlayStatus, overlaysOnTrial, type OverlayStatus } from './overlays.ts';
import { lastUpdate, type UpdateRecord } from './record.ts';
import { onTrial } from './settle.ts';
import type { Slot } from './slots.ts';

/** What `minke os status` shows, and prints as JSON. */
export interface OsStatus {
  machine: string;
  version: string;
  slot: Slot;
  /** verity: every block of the root is checked when it is read. */
  root: 'verity' | 'plain';
  /** A slot of which something could not be read; an update writes it anew, or the other one where this is the one that runs. */
  damagedSlot: Slot | null;
  /** Whether the release that runs is still being tried. */
  trial: boolean;
  /** The slot that the next start begins with. */
  next: Slot;
  update: UpdateRecord | null;
  /** Whose state it is, when a release has changed it. */
  migration: MigrationStatus | null;
  /** Overlays of the device tree that config.json names or this start has. */
  overlays: OverlayStatus[];
  /** Whether this start tries them. */
  overlayTrial: boolean;
  /** What holds off a restart. */
  locks: UpdateLock[];
}

export function describeStatus(device: Device): OsStatus {
  const { kept, next } = device.loader.read();
  const wanted = (textOf(device.system.files, OVERLAYS) ?? '').split('\n').filter(Boolean);
  return { overlays: overlayStatus(device, wanted), overlayTrial: overlaysOnTrial(device) !== undefined, machine: device.machine, version: device.version, slot: device.running, root: rootReading(device), damagedSlot: damagedSlot(device) ?? null, trial: onTrial(device), next: next ?? kept, update: lastUpdate(device) ?? null, migration: migrationStatus(device), locks: updateLocks(device) };
}
