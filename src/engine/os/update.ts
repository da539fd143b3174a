import { EngineError, messageOf } from '../error.ts';
import type { ByteSource } from '../ports/index.ts';
import { damagedSlot, forgetDamage } from './damage.ts';
import { slotDevice, type Device } from './device.ts';
import type { OsEngine } from './engine.ts';
import { factoryImageId, lendRunningImage } from './factory-base.ts';
import { hasDefaultRoute, hasVpn } from './health.ts';
import { dropImage, NEXT_IMAGE } from './images.ts';
import { forgetMigration } from './migrations.ts';
import { readRecord, writeRecord } from './record.ts';
import { compareVersions, readRelease, type Release } from './release.ts';
import type { Say } from './say.ts';
import { onTrial } from './settle.ts';
import { checkFirmware } from './secure-boot.ts';
import { dropStaged } from './shared-files.ts';
import { otherSlot } from './slots.ts';
import { verityEndBytes } from '../verity/index.ts';
import { checkSignature } from './trust.ts';
import { whileUpdating } from './update-lock.ts';
import { writeSlot } from './write-slot.ts';

export interface UpdateRequest {
  /** An archive (….os.tar), or a name in a registry. */
  source: { archive: ByteSource } | { reference: string };
  allowDowngrade: boolean;
  /** A signature is asked for, on a device that trusts no keys too: nobody watches. */
  signed?: boolean;
  /** Write it once more where it runs, or has been written and waits for the next start. */
  again?: boolean;
}

/** `runs`, `waits`: nothing had to be written. */
export interface Updated {
  release: Release;
  outcome: 'written' | 'runs' | 'waits';
}

/**
 * Gets a release, writes the slot that does not run, and has the boot loader try it at the next start. Until its last step nothing changes for a device that
 * restarts, and it may be cut off anywhere: the next update begins anew, with what the engine has got already.
 */
export async function update(device: Device, engine: OsEngine, request: UpdateRequest, say: Say): Promise<Updated> {
  const { system: { files }, running, loader } = device;
  return whileUpdating(device, async () => {
    if (onTrial(device)) throw new EngineError('conflict', 'OS_ON_TRIAL', 'the release that runs is still being tried', { hint: 'it is kept or given up within minutes; `minke os commit` keeps it now' });
    const to = otherSlot(running);
    const imageId = await get(device, engine, request, say);
    const release = await accepted(device, engine, imageId, request, say);
    const there = request.again === true ? undefined : await whereItIs(device, engine, imageId);
    if (there === 'runs') await withdraw(device, engine, release, say);
    if (there !== undefined) return { release, outcome: there };
    const record = { from: running, to, fromVersion: device.version, toVersion: release.os.version, imageId, before: { network: hasDefaultRoute(files), vpn: hasVpn(files) } };
    // What the slot held is gone from now on: it must not be started, by an update that was prepared before or by a rollback.
    await loader.forget(to);
    await writeRecord(device, { ...record, phase: 'writing' });
    try {
      // There is nothing to go back to any more.
      await forgetMigration(device);
      await engine.name(imageId, NEXT_IMAGE);
      await writeSlot(device, engine, imageId, release, to, say);
      await forgetDamage(device, to);
    } catch (error) {
      await writeRecord(device, { ...record, phase: 'interrupted', reason: messageOf(error) }).catch(() => undefined);
      throw error;
    }
    await writeRecord(device, { ...record, phase: 'armed' });
    await loader.tryNext(to, release);
    return { release, outcome: 'written' };
  });
}

/**
 * A timer, or somebody whose restart was held off, asks for the same release over and over: a card does not bear its slot being written each time. Where a slot is damaged,
 * the release that runs is written once more: into that slot, or beside it.
 */
async function whereItIs(device: Device, engine: OsEngine, imageId: string): Promise<'runs' | 'waits' | undefined> {
  const whole = damagedSlot(device) === undefined;
  if (whole && factoryImageId(device) === imageId) {
    // The slot has it all.
    await dropImage(engine, imageId);
    return 'runs';
  }
  const last = readRecord(device);
  if (last?.imageId !== imageId) return undefined;
  if (whole && last.phase === 'kept' && last.to === device.running) return 'runs';
  return last.phase === 'armed' && device.loader.read().next === last.to ? 'waits' : undefined;
}

/** Somebody asks for the release that runs while another one waits to be tried: the one that waits is not what is wanted any more, a tag that was set back for example. */
async function withdraw(device: Device, engine: OsEngine, { os }: Release, say: Say): Promise<void> {
  const record = readRecord(device);
  if (record?.phase !== 'armed' || record.to === device.running) return;
  await device.loader.forget(record.to);
  await writeRecord(device, { ...record, phase: 'rolled-back', reason: `release ${os.version}, which runs, was asked for before it was tried` });
  await dropStaged(device);
  await dropImage(engine, record.imageId);
  await say(`release ${record.toVersion} is not tried at the next start any more`);
}

/** Has the engine load the image, by a delta to the release that runs where there is one. */
async function get(device: Device, engine: OsEngine, { source }: UpdateRequest, say: Say): Promise<string> {
  const base = await lendRunningImage(device, engine, say);
  try {
    return 'archive' in source ? await engine.load(source.archive) : await engine.pull(source.reference);
  } finally {
    await base?.close();
  }
}

/** What the image says of itself; one that this device must not run does not stay. */
async function accepted(device: Device, engine: OsEngine, imageId: string, { allowDowngrade, signed }: UpdateRequest, say: Say): Promise<Release> {
  try {
    const labels = (await engine.labels(imageId)) ?? {};
    const trusted = checkSignature(device, labels);
    if (!trusted && signed === true) throw new EngineError('forbidden', 'OS_NOT_TRUSTED', 'this device trusts no keys, and takes this release only when it is signed');
    if (!trusted) await say('note: this device trusts no keys, so that nothing proves where the release comes from');
    const release = readRelease(labels);
    check(device, release, allowDowngrade);
    return release;
  } catch (error) {
    await dropImage(engine, imageId).catch(() => undefined);
    throw error;
  }
}

function check(device: Device, release: Release, allowDowngrade: boolean): void {
  const { system: { files }, machine, running } = device;
  if (release.machine !== machine) throw new EngineError('invalid', 'OS_WRONG_MACHINE', `the release is for ${release.machine}, this device is a ${machine}`);
  if (!allowDowngrade && compareVersions(release.os.version, device.version) < 0) {
    throw new EngineError('invalid', 'OS_DOWNGRADE', `release ${release.os.version} is older than ${device.version}, which runs`, { hint: '--allow-downgrade takes it all the same' });
  }
  checkFirmware(device, release);
  const fd = files.open(slotDevice(device, otherSlot(running)), 'read');
  try {
    const roomBytes = files.lengthOf(fd);
    const { sizeBytes, verity } = release.slot;
    const needBytes = verity === undefined ? sizeBytes : verityEndBytes(verity);
    if (needBytes > roomBytes) throw new EngineError('invalid', 'OS_SLOT_TOO_SMALL', `the release needs ${needBytes} bytes, its slot has ${roomBytes}`);
  } finally {
    files.close(fd);
  }
}
