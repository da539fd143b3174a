import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';

import { rollBack, settle, update } from '../../../src/engine/os/index.ts';
import { sharedPath } from '../../../src/engine/os/shared-files.ts';
import { flashed, next, nextId, releases, start, text, whole, type Slot } from './support/fake-board.ts';
import { fakeDevice, fakeEngine, script, started, type Disk } from './support/fake-device.ts';

const endless = { changesLeft: Number.POSITIVE_INFINITY, torn: false };
const patience = { healthMs: 60_000, locksMs: 0 };
const request = { source: { reference: nextId }, allowDowngrade: false };
const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex');

let disk: Disk;
let said: string[];
const say = async (line: string): Promise<void> => void said.push(line);
const updated = (): Promise<unknown> => update(fakeDevice(disk, endless), fakeEngine(disk, endless, releases), request, say);
const shared = (): string[] => ['boot.scr', 'EFI/loader.efi'].map((path) => text(disk, `/boot/${path}`));
const of = (version: string): string[] => [script(version), `loader ${version}`];
const staged = (): string[] => [...disk.files.keys()].filter((path) => path.startsWith('/data/'));
const known = (): unknown => JSON.parse(text(disk, '/boot/minke/shared.json'));

/** One start as far as the release settles. */
async function once(healthy = true, power = endless): Promise<Slot> {
  const slot = start(disk, 'u-boot');
  const version = whole(disk, slot);
  if (version === undefined) throw new Error(`slot ${slot} was started, and is not whole`);
  // What starts the board is whole at every start, whatever was cut off before.
  for (const [index, content] of shared().entries()) expect([of('1.0')[index], of('1.1')[index]]).toContain(content);
  started(disk, slot, version);
  await settle(fakeDevice(disk, power), fakeEngine(disk, power, releases, () => healthy), patience, say);
  return slot;
}

beforeEach(() => {
  disk = flashed('u-boot');
  said = [];
});

describe('files that both slots share', () => {
  test('are replaced when the release that brings them has been kept, and not before', async () => {
    await updated();
    expect(shared()).toEqual(of('1.0'));
    expect(await once()).toBe('B');
    expect(shared()).toEqual(of('1.1'));
    expect(known()).toEqual({ 'boot.scr': sha256(script('1.1')), 'EFI/loader.efi': sha256('loader 1.1') });
    expect(staged()).toEqual([]);
    expect(said).toEqual([expect.stringContaining('no keys'), 'emptying slot B', expect.stringContaining('root of slot B'), expect.stringContaining('kernel'), expect.stringContaining('reading back'), 'slot B works and is kept']);
    // The release before gets by with them.
    await rollBack(fakeDevice(disk, endless));
    expect(await once()).toBe('A');
    expect(shared()).toEqual(of('1.1'));
  });

  test('stay when the release does not prove to work', async () => {
    await updated();
    expect(await once(false)).toBe('B');
    expect(await once()).toBe('A');
    expect([shared(), staged()]).toEqual([of('1.0'), []]);
  });

  test('stay where their owner has changed or removed one', async () => {
    disk.files.set('/boot/boot.scr', Buffer.from(`${script('1.0')}mine`));
    disk.files.delete('/boot/EFI/loader.efi');
    await updated();
    const slot = start(disk, 'u-boot');
    started(disk, slot, '1.1');
    await settle(fakeDevice(disk, endless), fakeEngine(disk, endless, releases), patience, say);
    expect(shared()).toEqual([`${script('1.0')}mine`, '']);
    expect(said.slice(-3)).toEqual(['boot.scr of the boot partition stays as it is: no release put it there like that', 'EFI/loader.efi of the boot partition stays as it is: no release put it there like that', 'slot B works and is kept']);
    expect(known()).toEqual({ 'boot.scr': sha256(script('1.0')), 'EFI/loader.efi': sha256('loader 1.0') });
  });

  test('stay on a device that was flashed before there was a list of them', async () => {
    disk.files.delete('/boot/minke/shared.json');
    await updated();
    await once();
    expect([shared(), disk.files.has('/boot/minke/shared.json'), staged()]).toEqual([of('1.0'), false, []]);
  });

  test('stay when what was kept for them is damaged', async () => {
    await updated();
    disk.files.set('/data/shared/files/boot.scr', Buffer.from('torn'));
    await once();
    expect(shared()).toEqual([script('1.0'), 'loader 1.1']);
    expect(said).toContain('boot.scr of the boot partition stays as it is: /boot/boot.scr.new is not what was written');
    expect(disk.files.has('/boot/boot.scr.new')).toBe(false);
  });

  test('may be cut off at every change: what is left over is put in place by the next start', async () => {
    let cuts = 0;
    for (let changes = 0; ; changes += 1) {
      disk = flashed('u-boot');
      await updated();
      const power = { changesLeft: changes, torn: true };
      await once(true, power).catch((error: unknown) => {
        if (power.changesLeft >= 0) throw error;
      });
      if (power.changesLeft >= 0) break;
      cuts += 1;
      const slot = await once();
      expect(shared()).toEqual(slot === 'B' ? of('1.1') : of('1.0'));
      expect(staged()).toEqual([]);
    }
    expect(cuts).toBeGreaterThan(8);
    expect(shared()).toEqual(of('1.1'));
  });

  test.each(['config.json', 'CONFIG.JSON', 'config.txt', 'extra_uEnv.txt', 'minke/slot.env', 'loader/entries/minke-a.conf', 'A/kernel', 'b/kernel', '../etc/x', 'x//y', '', 'system-connections/home', 'dispatcher.d/x'])('are never %s', (path) => {
    expect(() => sharedPath(`shared/${path}`)).toThrow(expect.objectContaining({ code: 'OS_RELEASE_INVALID' }));
  });

  test('of a release that is not the kept one are left alone', async () => {
    await updated();
    disk.files.set('/data/shared/list.json', Buffer.from(text(disk, '/data/shared/list.json').replace('1.1', '1.2')));
    await once();
    expect(shared()).toEqual(of('1.0'));
    expect(next.release.os.version).toBe('1.1');
  });
});
