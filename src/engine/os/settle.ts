import { EngineError } from '../error.ts';
import type { Device } from './device.ts';
import { damagedSlot } from './damage.ts';
import type { OsEngine } from './engine.ts';
import { healthChecks, waitUntilHealthy, type HealthCheck } from './health.ts';
import { CURRENT_IMAGE, dropImage, keepImage } from './images.ts';
import { takeLocks } from './locks.ts';
import { keepOverlays, overlaysOnTrial } from './overlays.ts';
import { readRecord, writeRecord, type UpdateRecord } from './record.ts';
import { firmwareEnforces, holdsUnified } from './secure-boot.ts';
import { dropStaged, putShared } from './shared-files.ts';
import { otherSlot } from './slots.ts';
import type { Say } from './say.ts';

/** What a start of the system came to. `restart`: the release on trial, or what the start tries beside it, does not work. */
export type Settled = 'nothing' | 'kept' | 'restart' | 'rolled-back';

/** Whether the slot that runs is being tried. */
export function onTrial({ loader, running }: Pick<Device, 'loader' | 'running'>): boolean {
  const { kept, tried } = loader.read();
  return tried === running && kept !== running;
}

export interface Patience {
  /** How long a release may take to become healthy. */
  healthMs: number;
  /** How long locks of applications may hold off the restart out of one that does not. */
  locksMs: number;
}

/** Done once at every start: a release or overlays on trial are kept or given up; what became of a release that did not get here is written down. */
export async function settle(device: Device, engine: OsEngine, patience: Patience, say: Say): Promise<Settled> {
  const settled = await settleRelease(device, engine, patience, say);
  if (settled === 'restart') return settled;
  return (await settleOverlays(device, engine, patience, say)) ?? settled;
}

/** The loader applies a set of overlays once: a restart is enough to be without them. */
async function settleOverlays(device: Device, engine: OsEngine, patience: Patience, say: Say): Promise<Settled | undefined> {
  const set = overlaysOnTrial(device);
  if (set === undefined) return undefined;
  // No image is there for sure: that the engine answers has to do.
  const answers: HealthCheck = { name: 'engine', run: async () => void (await engine.find(CURRENT_IMAGE)) };
  const wrong = await waitUntilHealthy(device, [answers, ...healthChecks(device, engine, { before: set.before })], patience.healthMs, say);
  // Kept by hand meanwhile.
  if (overlaysOnTrial(device) === undefined) return undefined;
  if (wrong === undefined) {
    await keepTried(device);
    await say(`the device tree's overlays work and are kept: ${set.names.join(', ')}`);
    return 'kept';
  }
  await say(`with the device tree's overlays (${set.names.join(', ')}) this device does not work (${wrong}); starting without them`);
  if ((await takeLocks(device, patience.locksMs, (id) => engine.containerName(id), say)) === undefined) await say('restarting all the same');
  return 'restart';
}

/** Keeps overlays that this start tries. */
async function keepTried(device: Device): Promise<void> {
  const set = overlaysOnTrial(device);
  if (set !== undefined) await keepOverlays(device, set);
  // Word for the timer that would end a start which does not become healthy.
  device.system.files.writeText(`${device.places.run}/kept`, '');
}

async function settleRelease(device: Device, engine: OsEngine, patience: Patience, say: Say): Promise<Settled> {
  const { loader, running } = device;
  const record = readRecord(device);
  if (onTrial(device)) {
    const wrong = await waitUntilHealthy(device, healthChecks(device, engine, record), patience.healthMs, say);
    if (wrong === undefined) {
      await markGood(device, engine, say);
      await say(`slot ${running} works and is kept`);
      return 'kept';
    }
    await giveUp(device, record, wrong);
    await say(`slot ${running} does not work (${wrong}); going back to slot ${otherSlot(running)}`);
    // Applications may finish what they are at; a release that does not work is not kept for them, though.
    if ((await takeLocks(device, patience.locksMs, (id) => engine.containerName(id), say)) === undefined) await say('restarting all the same');
    return 'restart';
  }
  if (record?.phase === 'armed' && record.to === running && loader.read().kept === running) {
    // The power went between the loader's word and ours.
    await markGood(device, engine, say);
    return 'kept';
  }
  await putShared(device, say); // what a power cut left over
  if (record === undefined || running !== record.from || (record.phase !== 'armed' && record.phase !== 'failed')) return 'nothing';
  const { next } = loader.read();
  const reason = record.reason ?? (next === record.to ? 'the boot loader did not start it: it could not write down that it tries' : 'it did not get as far as its health check: kernel, initrd or system failed, or the power went');
  await loader.forget(record.to);
  await writeRecord(device, { ...record, phase: 'rolled-back', reason });
  await dropStaged(device);
  await dropImage(engine, record.imageId).catch(() => undefined);
  await say(`the update to ${record.toVersion} was rolled back: ${reason}`);
  return 'rolled-back';
}

export async function giveUp(device: Device, record: UpdateRecord | undefined, reason: string): Promise<void> {
  if (record !== undefined) await writeRecord(device, { ...record, phase: 'failed', reason });
  await device.loader.forget(device.running);
}

/** Keeps the slot that runs, and overlays that this start tries. */
export async function markGood(device: Device, engine: OsEngine, say: Say): Promise<void> {
  const record = readRecord(device);
  await device.loader.keep(device.running);
  await keepTried(device);
  if (record === undefined || record.to !== device.running || record.phase === 'kept') return;
  await writeRecord(device, { ...record, phase: 'kept' });
  await keepImage(engine, record.imageId).catch(() => undefined); // a release that works is kept, whatever its image
  await putShared(device, say);
}

/** Goes back to the other slot at the next start, which is tried as an update is. */
export async function rollBack(device: Device): Promise<void> {
  const { loader, running } = device;
  const record = readRecord(device);
  if (onTrial(device)) return giveUp(device, record, 'asked for by minke os rollback');
  if (record === undefined || record.phase !== 'kept' || record.to !== running) {
    throw new EngineError('conflict', 'OS_NO_ROLLBACK', `slot ${otherSlot(running)} holds no release to go back to`, { hint: '`minke os status` tells what the slots hold' });
  }
  if (damagedSlot(device) === record.from) {
    throw new EngineError('conflict', 'OS_NO_ROLLBACK', `slot ${record.from} is damaged: a start could not read it`, { hint: '`minke os update` writes it anew' });
  }
  if (firmwareEnforces(device) && !holdsUnified(device, record.from)) {
    throw new EngineError('conflict', 'OS_NO_ROLLBACK', `the release in slot ${record.from} is not signed, and the firmware of this device starts signed programs alone (Secure Boot)`, { hint: '`minke os update` with a signed one' });
  }
  await loader.keep(record.from);
  await writeRecord(device, { ...record, phase: 'rolled-back', reason: 'asked for by minke os rollback' });
}
