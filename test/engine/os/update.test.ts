import { generateKeyPairSync, sign } from 'node:crypto';

import { beforeEach, describe, expect, test } from 'vitest';

import { releaseConfig, signaturesLabel, type Release as BuiltRelease } from '../../../src/image/release.ts';
import { loaderConf, loaderEntry } from '../../../src/image/systemd-boot.ts';
import { describeStatus, rollBack, settle, update } from '../../../src/engine/os/index.ts';
import { compareVersions, RELEASE_LABEL } from '../../../src/engine/os/release.ts';
import { checkSignature, SIGNATURES_LABEL } from '../../../src/engine/os/trust.ts';
import { fakeDevice, fakeEngine, PowerCut, release, started, type Disk } from './support/fake-device.ts';

type Slot = 'A' | 'B';
type Loader = 'systemd-boot' | 'u-boot';

const quietly = async (): Promise<void> => undefined;
const endless = { changesLeft: Number.POSITIVE_INFINITY, torn: false };
const old = release('1.0');
const next = release('1.1');
const releases = { [`sha256:${'1'.repeat(64)}`]: old, [`sha256:${'2'.repeat(64)}`]: next };
const patience = { healthMs: 60_000, locksMs: 60_000 };
const nextId = Object.keys(releases)[1] ?? '';

/** A device as it is flashed: the old release in slot A, nothing in slot B. */
function flashed(loader: Loader): Disk {
  const disk: Disk = { files: new Map(), folders: new Set(['/boot']) };
  const put = (path: string, content: string | Buffer): void => void disk.files.set(path, Buffer.from(content));
  put('/boot/A/kernel', old.kernel);
  put('/boot/A/dtb/a.dtb', 'tree 1.0');
  put('/boot/A/initrd', 'initrd 1.0');
  put('/boot/config.json', '{}');
  put('/dev/vda2', old.root);
  put('/dev/vda3', Buffer.alloc(64));
  if (loader === 'u-boot') put('/boot/minke/slot.env', 'slot=A\n');
  else {
    put('/boot/loader/loader.conf', loaderConf);
    put('/boot/loader/entries/minke-a.conf', loaderEntry({ slot: 'A', title: 'Minke OS', version: '1.0', generation: 1, commandLine: ['quiet'] }));
  }
  started(disk, 'A', '1.0');
  return disk;
}

const text = (disk: Disk, path: string): string => disk.files.get(path)?.toString('utf8') ?? '';

/** What a start does, by the documentation of the loaders: which slot, and what is written down when one is tried. */
function start(disk: Disk, loader: Loader): Slot {
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

/** The release whose kernel, device tree, initrd and root stand whole in a slot. */
function whole(disk: Disk, slot: Slot): string | undefined {
  const root = disk.files.get(slot === 'A' ? '/dev/vda2' : '/dev/vda3');
  return [old, next].find(({ release: { os: { version } }, kernel, root: made }) =>
    text(disk, `/boot/${slot}/kernel`) === kernel && text(disk, `/boot/${slot}/dtb/a.dtb`) === `tree ${version}` && text(disk, `/boot/${slot}/initrd`) === `initrd ${version}` && root?.equals(made) === true)?.release.os.version;
}

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

const request = { source: { reference: nextId }, allowDowngrade: false };

describe.each<Loader>(['systemd-boot', 'u-boot'])('an update with %s', (loader) => {
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
    await updated();
    expect(start(disk, loader)).toBe('A');
    expect(whole(disk, 'A')).toBe('1.1');
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
        break;
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
    const description: BuiltRelease = { format: 1, ...next.release, loader: 'u-boot' };
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
