import { createHash, generateKeyPairSync, sign } from 'node:crypto';

import { beforeEach, describe, expect, test } from 'vitest';

import { releaseConfig, signaturesLabel, type Release as BuiltRelease } from '../../../src/image/release.ts';
import { describeStatus, rollBack, settle, update } from '../../../src/engine/os/index.ts';
import { readRecord, writeRecord, type UpdateRecord } from '../../../src/engine/os/record.ts';
import { RELEASE_LABEL } from '../../../src/engine/os/release.ts';
import { checkSignature, SIGNATURES_LABEL } from '../../../src/engine/os/trust.ts';
import { flashed, next, nextId, old, releases, releasesFor, start, toldTree, whole, type Loader, type Slot } from './support/fake-board.ts';
import { fakeDevice, fakeEngine, PARTITION_BYTES, PowerCut, release, started, type Disk } from './support/fake-device.ts';

const quietly = async (): Promise<void> => undefined;
const endless = { changesLeft: Number.POSITIVE_INFINITY, torn: false };
const patience = { healthMs: 60_000, locksMs: 60_000 };

/** Starts the board, as often as it takes until a slot settles; every slot that is started must be whole. */
async function untilSettled(disk: Disk, loader: Loader, healthy: (slot: Slot) => boolean): Promise<{ slot: Slot; starts: number }> {
  for (let starts = 1; starts < 6; starts += 1) {
    const slot = start(disk, loader);
    const version = whole(disk, slot);
    if (version === undefined) throw new Error(`slot ${slot} was started, and is not whole`);
    started(disk, slot, version);
    const device = fakeDevice(disk, endless);
    const settled = await settle(device, fakeEngine(disk, endless, releases, () => healthy(slot)), patience, quietly);
    if (settled !== 'restart') return { slot, starts };
  }
  throw new Error('it never settled');
}

/** The same release goes from slot to slot. */
const request = { source: { reference: nextId }, allowDowngrade: false, again: true };
const once = { ...request, again: false };

describe.each<Loader>(['systemd-boot', 'u-boot', 'signed'])('an update with %s', (loader) => {
  const releases = releasesFor(loader);
  let disk: Disk;
  beforeEach(() => (disk = flashed(loader)));
  const updated = (power = endless): Promise<unknown> => update(fakeDevice(disk, power), fakeEngine(disk, power, releases), request, quietly);

  test('is tried at the next start, kept when it works, and the next one goes the other way', async () => {
    await updated();
    expect(describeStatus(fakeDevice(disk, endless))).toMatchObject({ slot: 'A', trial: false, next: 'B', update: { phase: 'armed', to: 'B' } });
    expect(start(disk, loader)).toBe('B');
    started(disk, 'B', '1.1');
    expect(describeStatus(fakeDevice(disk, endless))).toMatchObject({ slot: 'B', trial: true });
    const engine = fakeEngine(disk, endless, releases);
    expect(await settle(fakeDevice(disk, endless), engine, patience, quietly)).toBe('kept');
    expect(engine.names.get('minke-os/current:latest')).toBe(nextId);
    expect(engine.removed).toEqual([]);
    expect(describeStatus(fakeDevice(disk, endless))).toMatchObject({ slot: 'B', trial: false, next: 'B', update: { phase: 'kept' } });
    expect([start(disk, loader), start(disk, loader)]).toEqual(['B', 'B']);
    expect(await update(fakeDevice(disk, endless), engine, once, quietly)).toMatchObject({ outcome: 'runs' });
    expect([start(disk, loader), start(disk, loader)]).toEqual(['B', 'B']);
    expect(await update(fakeDevice(disk, endless), engine, request, quietly)).toMatchObject({ outcome: 'written' });
    expect(await update(fakeDevice(disk, endless), engine, once, quietly)).toMatchObject({ outcome: 'waits' });
    expect(start(disk, loader)).toBe('A');
    expect(whole(disk, 'A')).toBe('1.1');
  });

  test('is withdrawn when the release that runs is asked for before the next start, as by a tag that was set back', async () => {
    const config = 'configuration of the release that was flashed';
    disk.files.set('/boot/A/image/config.json', Buffer.from(config));
    const flashedId = `sha256:${createHash('sha256').update(config).digest('hex')}`;
    const engine = fakeEngine(disk, endless, { ...releases, [flashedId]: old });
    const back = { ...once, source: { reference: flashedId } };
    expect(await update(fakeDevice(disk, endless), engine, back, quietly)).toMatchObject({ outcome: 'runs' });
    await update(fakeDevice(disk, endless), engine, once, quietly);
    expect(describeStatus(fakeDevice(disk, endless))).toMatchObject({ next: 'B', update: { phase: 'armed' } });
    expect(await update(fakeDevice(disk, endless), engine, back, quietly)).toMatchObject({ outcome: 'runs' });
    expect(describeStatus(fakeDevice(disk, endless))).toMatchObject({ slot: 'A', next: 'A', update: { phase: 'rolled-back', reason: 'release 1.0, which runs, was asked for before it was tried' } });
    expect(engine.removed).toContain(nextId);
    expect([start(disk, loader), start(disk, loader)]).toEqual(['A', 'A']);
    started(disk, 'A', '1.0');
    expect(await settle(fakeDevice(disk, endless), engine, patience, quietly)).toBe('nothing');
    expect(await update(fakeDevice(disk, endless), engine, once, quietly)).toMatchObject({ outcome: 'written' });
    expect(start(disk, loader)).toBe('B');
  });

  test('that is kept takes the image of the release before with it, and one that is rolled back its own', async () => {
    const oldId = Object.keys(releases)[0] ?? '';
    await updated();
    expect(start(disk, loader)).toBe('B');
    started(disk, 'B', '1.1');
    const engine = fakeEngine(disk, endless, releases);
    engine.names.set('minke-os/current:latest', oldId);
    await settle(fakeDevice(disk, endless), engine, patience, quietly);
    expect([engine.removed, engine.names.get('minke-os/current:latest')]).toEqual([[oldId], nextId]);
    await update(fakeDevice(disk, endless), engine, { source: { reference: oldId }, allowDowngrade: true }, quietly);
    expect(start(disk, loader)).toBe('A');
    expect(start(disk, loader)).toBe('B');
    started(disk, 'B', '1.1');
    expect(await settle(fakeDevice(disk, endless), engine, patience, quietly)).toBe('rolled-back');
    expect([engine.removed, engine.names.get('minke-os/current:latest')]).toEqual([[oldId, oldId], nextId]);
  });

  test('that never comes up is started once; the release before says so', async () => {
    await updated();
    expect(start(disk, loader)).toBe('B');
    expect(await untilSettled(disk, loader, () => true)).toEqual({ slot: 'A', starts: 1 });
    expect(describeStatus(fakeDevice(disk, endless))).toMatchObject({ slot: 'A', next: 'A', update: { phase: 'rolled-back', reason: expect.stringContaining('did not get as far') } });
    expect([start(disk, loader), start(disk, loader)]).toEqual(['A', 'A']);
    await updated();
    expect(await untilSettled(disk, loader, () => true)).toEqual({ slot: 'B', starts: 1 });
  });

  test('whose engine runs no container is given up by its health check', async () => {
    await updated();
    expect(await untilSettled(disk, loader, (slot) => slot === 'A')).toEqual({ slot: 'A', starts: 2 });
    expect(describeStatus(fakeDevice(disk, endless)).update).toMatchObject({ phase: 'rolled-back', reason: expect.stringContaining('engine: a container ended with 1') });
  });

  test('can be taken back after it was kept, and not before there is anything to go back to', async () => {
    await expect(rollBack(fakeDevice(disk, endless))).rejects.toThrow(expect.objectContaining({ code: 'OS_NO_ROLLBACK' }));
    await updated();
    await untilSettled(disk, loader, () => true);
    await rollBack(fakeDevice(disk, endless));
    expect(await untilSettled(disk, loader, () => true)).toEqual({ slot: 'A', starts: 1 });
    await expect(rollBack(fakeDevice(disk, endless))).rejects.toThrow(expect.objectContaining({ code: 'OS_NO_ROLLBACK' }));
  });

  test('is refused while another release is on trial', async () => {
    await updated();
    start(disk, loader);
    started(disk, 'B', '1.1');
    await expect(updated()).rejects.toThrow(expect.objectContaining({ code: 'OS_ON_TRIAL' }));
  });

  test('that reads back otherwise is not tried', async () => {
    const engine = fakeEngine(disk, endless, { [nextId]: { ...next, root: Buffer.from('root of 1.0') } });
    await expect(update(fakeDevice(disk, endless), engine, request, quietly)).rejects.toThrow(expect.objectContaining({ code: 'OS_SLOT_DAMAGED' }));
    expect(start(disk, loader)).toBe('A');
  });

  test('that fails while its slot is written says so, and why; one that was cut off as well, and the next one begins anew', async () => {
    const full = new Error('no space left on device');
    const engine = fakeEngine(disk, endless, releases);
    await expect(update(fakeDevice(disk, endless), { ...engine, name: () => Promise.reject(full) }, request, quietly)).rejects.toBe(full);
    expect(describeStatus(fakeDevice(disk, endless))).toMatchObject({ next: 'A', update: { phase: 'interrupted', reason: full.message } });
    await writeRecord(fakeDevice(disk, endless), { ...(readRecord(fakeDevice(disk, endless)) as UpdateRecord), phase: 'writing' });
    const device = fakeDevice(disk, endless);
    const elsewhere = { ...device, system: { ...device.system, files: { ...device.system.files, tryLock: () => false } } };
    expect(describeStatus(elsewhere)).toMatchObject({ update: { phase: 'writing' } });
    await expect(update(elsewhere, engine, request, quietly)).rejects.toThrow('another update is running');
    expect(describeStatus(device)).toMatchObject({ update: { phase: 'interrupted', reason: expect.stringContaining('slot B') } });
    await updated();
    expect(describeStatus(fakeDevice(disk, endless))).toMatchObject({ next: 'B', update: { phase: 'armed' } });
  });

  test('without a hash tree, from before there was one, is taken as ever, and nothing tells of a tree; the other way as well', async () => {
    const before = release('1.1', 'board', { withTree: false });
    const engine = fakeEngine(disk, endless, { [nextId]: before });
    expect(toldTree(disk, 'A')).toMatch(/^[0-9a-f]{64}:[0-9a-f]{64}:2:2$/);
    await update(fakeDevice(disk, endless), engine, request, quietly);
    expect(toldTree(disk, 'B')).toBeUndefined();
    expect(start(disk, loader)).toBe('B');
    started(disk, 'B', '1.1');
    expect(describeStatus(fakeDevice(disk, endless))).toMatchObject({ root: 'plain', damagedSlot: null });
    expect(await settle(fakeDevice(disk, endless), engine, patience, quietly)).toBe('kept');
    await updated();
    expect(whole(disk, 'A')).toBe('1.1');
    expect(start(disk, loader)).toBe('A');
  });

  test('whose root has another hash tree than was signed is refused, and not tried', async () => {
    const { verity } = next.release.slot;
    const signed = { ...next.release, slot: { ...next.release.slot, ...(verity === undefined ? {} : { verity: { ...verity, rootHash: 'f'.repeat(64) } }) } };
    const engine = fakeEngine(disk, endless, { [nextId]: { ...next, release: signed } });
    await expect(update(fakeDevice(disk, endless), engine, request, quietly)).rejects.toThrow(expect.objectContaining({ code: 'OS_RELEASE_INVALID', message: expect.stringContaining(`the release says ${'f'.repeat(64)}`) }));
    expect(toldTree(disk, 'B')).toBeUndefined();
    expect(start(disk, loader)).toBe('A');
  });

  test('whose hash tree does not fit behind its root is refused before anything is written', async () => {
    const { verity } = next.release.slot;
    const larger = { ...next.release, slot: { ...next.release.slot, ...(verity === undefined ? {} : { verity: { ...verity, hashStart: PARTITION_BYTES / 4096 } }) } };
    const engine = fakeEngine(disk, endless, { [nextId]: { ...next, release: larger } });
    await expect(update(fakeDevice(disk, endless), engine, request, quietly)).rejects.toThrow(expect.objectContaining({ code: 'OS_SLOT_TOO_SMALL', message: expect.stringContaining(`${PARTITION_BYTES + 4096} bytes`) }));
    expect(describeStatus(fakeDevice(disk, endless)).update).toBeNull();
  });

  test('whose hash tree reads back otherwise is not tried', async () => {
    const device = fakeDevice(disk, endless);
    const { files } = device.system;
    const worn = { ...files, writeOut: async (fds: readonly number[]) => { disk.files.get('/dev/vda3')?.fill(7, 2 * 4096); return files.writeOut(fds); } };
    await expect(update({ ...device, system: { ...device.system, files: worn } }, fakeEngine(disk, endless, releases), request, quietly)).rejects.toThrow(expect.objectContaining({ code: 'OS_SLOT_DAMAGED', message: expect.stringContaining('hash tree') }));
    expect(start(disk, loader)).toBe('A');
  });

  test('that is given up is no slot to go back to: nothing tells of its tree any more', async () => {
    await updated();
    expect(await untilSettled(disk, loader, (slot) => slot === 'A')).toEqual({ slot: 'A', starts: 2 });
    expect([toldTree(disk, 'A') === undefined, toldTree(disk, 'B') === undefined]).toEqual([false, true]);
  });

  describe('where a slot is damaged', () => {
    test('the release that runs is written beside it, once, and the slot is written anew by the next update', async () => {
      await updated();
      expect((await untilSettled(disk, loader, () => true)).slot).toBe('B');
      const engine = fakeEngine(disk, endless, releases);
      disk.files.set('/run/minke/root', Buffer.from('mapper/minke-root\n'));
      expect(describeStatus(fakeDevice(disk, endless))).toMatchObject({ slot: 'B', root: 'verity', damagedSlot: null });
      expect(await update(fakeDevice(disk, endless), engine, once, quietly)).toMatchObject({ outcome: 'runs' });
      disk.files.set('/run/minke/root-damaged', Buffer.from('1,4711\n'));
      expect(describeStatus(fakeDevice(disk, endless))).toMatchObject({ slot: 'B', damagedSlot: 'B' });
      expect(await update(fakeDevice(disk, endless), engine, once, quietly)).toMatchObject({ outcome: 'written' });
      expect(await update(fakeDevice(disk, endless), engine, once, quietly)).toMatchObject({ outcome: 'waits' });
      expect(whole(disk, 'A')).toBe('1.1');
      expect(await untilSettled(disk, loader, () => true)).toEqual({ slot: 'A', starts: 1 });
      expect(describeStatus(fakeDevice(disk, endless))).toMatchObject({ slot: 'A', damagedSlot: null });
    });

    test('that a start has left, it is no slot to roll back to, and an update to whatever release writes it', async () => {
      await updated();
      expect((await untilSettled(disk, loader, () => true)).slot).toBe('B');
      disk.files.set('/boot/minke/damaged', Buffer.from('A\n'));
      expect(describeStatus(fakeDevice(disk, endless))).toMatchObject({ slot: 'B', damagedSlot: 'A' });
      await expect(rollBack(fakeDevice(disk, endless))).rejects.toThrow(expect.objectContaining({ code: 'OS_NO_ROLLBACK', message: expect.stringContaining('slot A is damaged') }));
      expect(await update(fakeDevice(disk, endless), fakeEngine(disk, endless, releases), once, quietly)).toMatchObject({ outcome: 'written' });
      expect(disk.files.has('/boot/minke/damaged')).toBe(false);
      expect(whole(disk, 'A')).toBe('1.1');
    });
  });

  // At every change that an update makes to the device, lost or torn in the middle; the other slot is empty, or holds the release before.
  test.each([[false, 'A'], [true, 'A'], [false, 'B'], [true, 'B']] as const)('may be cut off by the power anywhere (last write torn: %s; from slot %s)', async (torn, from) => {
    let cuts = 0;
    for (let changes = 0; ; changes += 1) {
      disk = flashed(loader);
      if (from === 'B') {
        await updated();
        expect((await untilSettled(disk, loader, () => true)).slot).toBe('B');
      }
      const power = { changesLeft: changes, torn };
      try {
        await updated(power);
        break;
      } catch (error) {
        // What is on its way when the power goes fails in its own words; nothing changed after that.
        if (!(error instanceof PowerCut) && power.changesLeft >= 0) throw error;
        cuts += 1;
      }
      const { slot } = await untilSettled(disk, loader, () => true);
      expect(describeStatus(fakeDevice(disk, endless)).update?.phase).not.toBe('writing');
      if (slot !== from) continue; // the last rename had come through
      await updated();
      expect(await untilSettled(disk, loader, () => true)).toEqual({ slot: from === 'A' ? 'B' : 'A', starts: 1 });
    }
    expect(cuts).toBeGreaterThan(15);
  });

  // The same of keeping and giving up.
  test.each([[true, 'kept'], [false, 'given up']] as const)('may be cut off while it is being %2$s', async (healthy, _) => {
    for (let changes = 0; ; changes += 1) {
      disk = flashed(loader);
      await updated();
      expect(start(disk, loader)).toBe('B');
      started(disk, 'B', '1.1');
      const power = { changesLeft: changes, torn: false };
      try {
        await settle(fakeDevice(disk, power), fakeEngine(disk, power, releases, () => healthy), patience, quietly);
        if (power.changesLeft >= 0) break;
        // Word of it is all that comes of a cut while shared files are put in place: the release is kept by then.
        throw new PowerCut('the power went');
      } catch {
        const { slot } = await untilSettled(disk, loader, () => healthy);
        // Not kept yet: the loader has tried it, so that the one before runs. Either way the board has a release, and takes the next update.
        started(disk, slot, slot === 'A' ? '1.0' : '1.1');
        await updated();
        expect((await untilSettled(disk, loader, () => true)).slot).toBe(slot === 'A' ? 'B' : 'A');
      }
    }
  });
});

test.each([
  ['for another machine', release('1.1', 'toaster'), 'OS_WRONG_MACHINE'],
  ['that is older', release('0.9'), 'OS_DOWNGRADE'],
])('a release %s is refused before anything is written', async (_, other, code) => {
  const disk = flashed('u-boot');
  const before = new Map(disk.files);
  const engine = fakeEngine(disk, endless, { [nextId]: other });
  await expect(update(fakeDevice(disk, endless), engine, request, quietly)).rejects.toThrow(expect.objectContaining({ code }));
  expect(engine.removed).toEqual([nextId]); // it would only fill the disk
  disk.files.delete('/run/minke/update.lock');
  expect(disk.files).toEqual(before);
});

describe('signatures', () => {
  const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
  const [ours, later, theirs] = [pair(), pair(), pair()];
  const labelsOf = (...signers: { privateKey: string }[]): Record<string, string> => {
    const description = { format: 1, ...next.release, loader: 'u-boot' } as BuiltRelease;
    const config = releaseConfig(description, 'amd64', 0, (content) => signers.map(({ privateKey }) => sign('sha256', Buffer.from(content), privateKey).toString('base64')));
    return (JSON.parse(config) as { config: { Labels: Record<string, string> } }).config.Labels;
  };
  const trusting = (...keys: { publicKey: string }[]) => {
    const disk = flashed('u-boot');
    for (const [index, { publicKey }] of keys.entries()) disk.files.set(`/keys/${index}.pem`, Buffer.from(publicKey));
    return fakeDevice(disk, endless);
  };
  const refused = expect.objectContaining({ code: 'OS_NOT_TRUSTED' });

  test('of a trusted key are enough, among others as well; that is how keys rotate', () => {
    expect(checkSignature(trusting(ours), labelsOf(ours))).toBe(true);
    expect(checkSignature(trusting(ours), labelsOf(later, ours))).toBe(true);
    expect(checkSignature(trusting(ours, later), labelsOf(later))).toBe(true);
  });

  test('are asked for as soon as one key is trusted', () => {
    expect(checkSignature(trusting(), labelsOf())).toBe(false);
    expect(() => checkSignature(trusting(ours), labelsOf())).toThrow(refused);
    expect(() => checkSignature(trusting(ours), labelsOf(theirs))).toThrow(refused);
    expect(() => checkSignature(trusting(later), labelsOf(ours))).toThrow(refused);
  });

  test('hold for what was signed alone', () => {
    const labels = labelsOf(ours);
    expect(() => checkSignature(trusting(ours), { ...labels, [RELEASE_LABEL]: (labels[RELEASE_LABEL] ?? '').replace('1.1', '1.2') })).toThrow(refused);
    for (const broken of ['', '{}', '["?"]', '[1, null]', '[']) expect(() => checkSignature(trusting(ours), { ...labels, [SIGNATURES_LABEL]: broken })).toThrow(refused);
    expect(SIGNATURES_LABEL).toBe(signaturesLabel);
  });

  test('are looked at before anything is written', async () => {
    const disk = flashed('u-boot');
    disk.files.set('/keys/ours.pem', Buffer.from(ours.publicKey));
    const before = new Map(disk.files);
    await expect(update(fakeDevice(disk, endless), fakeEngine(disk, endless, releases), request, quietly)).rejects.toThrow(refused);
    disk.files.delete('/run/minke/update.lock');
    expect(disk.files).toEqual(before);
  });
});
