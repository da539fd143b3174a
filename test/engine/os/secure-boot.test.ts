import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';

import { rollBack, settle, update } from '../../../src/engine/os/index.ts';
import { profileOption, profiles } from '../../../src/engine/unified-kernel/index.ts';
import { loaderEntry } from '../../../src/image/systemd-boot.ts';
import { signatureList } from '../../../src/secure-boot/index.ts';
import { flashed, next, nextId, start, text, toldTree } from './support/fake-board.ts';
import { fakeDevice, fakeEngine, started, type Disk } from './support/fake-device.ts';

const quietly = async (): Promise<void> => undefined;
const endless = { changesLeft: Number.POSITIVE_INFINITY, torn: false };
const [ours, theirs] = [Buffer.from('our certificate'), Buffer.from('another certificate')];
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const request = { source: { reference: nextId }, allowDowngrade: false, again: true };
const unified = { ...next, release: { ...next.release, format: 2, unified: { certificate: sha256(ours) } } };

let disk: Disk;
beforeEach(() => (disk = flashed('systemd-boot')));
const put = (path: string, content: Buffer): void => void disk.files.set(path, content);
const updated = (release: typeof next): Promise<unknown> => update(fakeDevice(disk, endless), fakeEngine(disk, endless, { [nextId]: release }), request, quietly);

/** The firmware's variables as efivarfs shows them. */
function firmware(enforces: boolean, ...lists: Buffer[]): void {
  const attributes = Buffer.from([6, 0, 0, 0]);
  put('/firmware/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c', Buffer.concat([attributes, Buffer.from([enforces ? 1 : 0])]));
  put('/firmware/db-d719b2cb-3d3a-4596-a3bc-dad00e67656f', Buffer.concat([attributes, ...lists]));
}

describe('a release with a unified kernel', () => {
  test('is tried by the command line for the trial of its slot, and kept with the one without it', async () => {
    await updated(unified);
    const [entry] = [...disk.files.keys()].filter((path) => path.startsWith('/boot/loader/entries/minke-b'));
    expect(text(disk, entry ?? '')).toContain(`\nlinux    /B/kernel\noptions  ${profileOption({ slot: 'B', trial: true })}\n# minke.verity=`);
    expect(text(disk, entry ?? '')).not.toContain('initrd');
    expect(start(disk, 'systemd-boot')).toBe('B');
    started(disk, 'B', '1.1');
    expect(await settle(fakeDevice(disk, endless), fakeEngine(disk, endless, { [nextId]: unified }), { healthMs: 60_000, locksMs: 60_000 }, quietly)).toBe('kept');
    const { verity } = next.release.slot;
    expect(text(disk, '/boot/loader/entries/minke-b.conf')).toBe(loaderEntry({ slot: 'B', title: 'Minke OS', version: '1.1', generation: 2, commandLine: [], unified: true, ...(verity === undefined ? {} : { verity }) }));
    expect(toldTree(disk, 'B')).toMatch(/^[0-9a-f]{64}:/);
  });

  test('has a command line of its own for each slot and its trial', () => {
    expect(profiles.map(profileOption)).toEqual(['@0', '@1', '@2', '@3']);
    expect(new Set(profiles.map(({ slot, trial }) => `${slot} ${trial}`)).size).toBe(4);
  });
});

describe('a firmware with Secure Boot', () => {
  test.each<[string, () => void]>([
    ['switched off', () => firmware(false)],
    ['that knows the certificate', () => firmware(true, signatureList(ours))],
    ['that knows it among others, after lists of another kind', () => firmware(true, Buffer.concat([Buffer.alloc(16, 7), Buffer.from([28 + 48, 0, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0]), Buffer.alloc(48)]), signatureList(theirs), signatureList(ours))],
    ['that is none: no UEFI', () => undefined],
  ])('%s takes the release', async (_, given) => {
    given();
    await expect(updated(unified)).resolves.toMatchObject({ outcome: 'written' });
  });

  test.each<[string, () => void, typeof next, RegExp]>([
    ['a release that is not signed', () => firmware(true, signatureList(ours)), next, /the kernel of this release is not signed/],
    ['one signed by a certificate that it does not know', () => firmware(true, signatureList(theirs)), unified, /not in the firmware's db/],
    ['any where its db is cut off', () => firmware(true, signatureList(ours).subarray(0, -1)), unified, /not in the firmware's db/],
    ['any where its db is empty', () => firmware(true), unified, /not in the firmware's db/],
  ])('never gets %s: nothing is written', async (_, given, release, complaint) => {
    given();
    const before = [...disk.files.keys()].filter((path) => !path.startsWith('/run/'));
    await expect(updated(release)).rejects.toThrow(expect.objectContaining({ code: 'OS_NOT_SIGNED', message: expect.stringMatching(complaint) as unknown }));
    expect([...disk.files.keys()].filter((path) => !path.startsWith('/run/'))).toEqual(before);
    expect(start(disk, 'systemd-boot')).toBe('A');
  });

  test('is not sent back to a slot whose release is not signed: it would stand still there', async () => {
    await updated(unified);
    start(disk, 'systemd-boot');
    started(disk, 'B', '1.1');
    const engine = fakeEngine(disk, endless, { [nextId]: unified });
    await settle(fakeDevice(disk, endless), engine, { healthMs: 60_000, locksMs: 60_000 }, quietly);
    // As firmware of a board that was updated first, and got its keys later.
    firmware(true, signatureList(ours));
    await expect(rollBack(fakeDevice(disk, endless))).rejects.toThrow(expect.objectContaining({ code: 'OS_NO_ROLLBACK', message: expect.stringContaining('slot A is not signed') as unknown }));
    disk.files.delete('/boot/A/initrd');
    await rollBack(fakeDevice(disk, endless));
    expect(start(disk, 'systemd-boot')).toBe('A');
  });
});
