import type { Device } from './device.ts';
import { readJson } from './read-json.ts';
import { isSlot, type Slot } from './slots.ts';
import { updateRuns } from './update-lock.ts';

/** What became of the last update, on the state partition, which both slots see. */
export interface UpdateRecord {
  from: Slot;
  to: Slot;
  /** Versions before and after. */
  fromVersion: string;
  toVersion: string;
  /** Image in the engine's store. */
  imageId: string;
  /**
   * writing: the slot is not whole. interrupted: nor is it, and nobody writes it any more (`reason`). armed: the next start tries it. failed: its health check said no (`reason`). kept, rolled-back: done.
   */
  phase: 'writing' | 'interrupted' | 'armed' | 'failed' | 'kept' | 'rolled-back';
  /** ISO 8601. */
  at: string;
  reason?: string;
  /** What worked before and so has to work afterwards. */
  before: { network: boolean; vpn: boolean };
}

const FILE = 'update.json';

export function readRecord({ system: { files }, places }: Pick<Device, 'system' | 'places'>): UpdateRecord | undefined {
  const value = readJson<UpdateRecord>(files, `${places.state}/${FILE}`);
  return isSlot(value?.from) && isSlot(value.to) && value.phase !== undefined && value.before !== undefined ? (value as UpdateRecord) : undefined;
}

/** The record, for whoever asks what became of the update: one that was killed, or whose device lost its power, could not write down that it ended. */
export function lastUpdate(device: Device): UpdateRecord | undefined {
  const record = readRecord(device);
  if (record?.phase !== 'writing' || updateRuns(device)) return record;
  return { ...record, phase: 'interrupted', reason: `it was cut off before slot ${record.to} was whole; the next update begins anew` };
}

export async function writeRecord({ system: { files, clock }, places }: Pick<Device, 'system' | 'places'>, record: Omit<UpdateRecord, 'at'>): Promise<UpdateRecord> {
  const whole = { ...record, at: new Date(clock.now()).toISOString() };
  files.mkdirs(places.state);
  await files.replaceFile(`${places.state}/${FILE}`, `${JSON.stringify(whole, null, 2)}\n`);
  return whole;
}
