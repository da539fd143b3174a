import { beforeEach, describe, expect, test } from 'vitest';

import { describeStatus, markGood, settle } from '../../../src/engine/os/index.ts';
import { overlayStatus, wantOverlays } from '../../../src/engine/os/overlays.ts';
import { readConfig } from '../../../src/engine/os/config/document.ts';
import { flashed, text } from './support/fake-board.ts';
import { fakeDevice, fakeEngine, memoryFiles, started, type Disk } from './support/fake-device.ts';

const endless = { changesLeft: Number.POSITIVE_INFINITY, torn: false };
const patience = { healthMs: 60_000, locksMs: 60_000 };
const file = '/boot/minke/overlays.env';
const route = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t0102A8C0\t3\t0\t0\t0\t00000000\n';

let disk: Disk;
const put = (path: string, content: string): void => void disk.files.set(path, Buffer.from(content));
beforeEach(() => {
  disk = flashed('u-boot');
  put('/sys/firmware/devicetree/base/model', 'board');
  put('/proc/cmdline', 'quiet\n');
  put('/proc/net/route', route);
});

const want = (...names: string[]): Promise<void> => wantOverlays(memoryFiles(disk, endless), fakeDevice(disk, endless).boot, names);
const status = (...wanted: string[]): ReturnType<typeof overlayStatus> => overlayStatus(fakeDevice(disk, endless), wanted);

/** What boot.scr does with the file at a start (test/image/uboot-overlays.test.ts tries the real one); `broken`: overlays that cannot be applied. */
function start(...broken: string[]): void {
  const value = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(text(disk, file))?.[1] ?? '';
  const names = value('overlays').split(' ').filter(Boolean);
  const tries = value('overlay_tries');
  if (tries === '1') put(file, text(disk, file).replace('overlay_tries=1', 'overlay_tries=0'));
  const list = (of: string[]): string => of.map((name) => `:${name}`).join('');
  const words = tries === '1' || tries === 'kept' ? ` minke.overlays=${list(names.filter((name) => !broken.includes(name)))} minke.overlays-refused=${list(names.filter((name) => broken.includes(name)))}` : '';
  started(disk, 'A', '1.0');
  put('/proc/cmdline', `quiet${tries === '1' ? ' minke.trial' : ''} minke.slot=A${words}\n`);
}

const said: string[] = [];
const settled = (healthy = true): Promise<string> => {
  if (!healthy) put('/proc/net/route', 'Iface\tDestination\n');
  said.length = 0;
  return settle(fakeDevice(disk, endless), fakeEngine(disk, endless, {}), patience, async (line) => void said.push(line));
};

describe('overlays that config.json names', () => {
  test('are tried by the next start, and applied by every one after that when it works', async () => {
    await want('i2c', 'uart');
    expect(status('i2c', 'uart')).toEqual(['i2c', 'uart'].map((name) => ({ name, applied: false, reason: expect.stringContaining('next start tries it') })));
    start();
    expect(describeStatus(fakeDevice(disk, endless))).toMatchObject({ trial: false, overlayTrial: true, overlays: [{ name: 'i2c', applied: true }, { name: 'uart', applied: true }] });
    expect(await settled()).toBe('kept');
    expect(said.join()).toContain('i2c, uart');
    expect(text(disk, '/run/minke/kept'), 'word for the timer').toBe('');
    for (let round = 0; round < 2; round += 1) {
      start();
      expect(describeStatus(fakeDevice(disk, endless))).toMatchObject({ overlayTrial: false, overlays: [{ name: 'i2c', applied: true }, { name: 'uart', applied: true }] });
      expect(await settled()).toBe('nothing');
    }
  });

  test('that take the network away are left by a restart, and not tried again until they are named anew', async () => {
    await want('i2c');
    start();
    expect(await settled(false)).toBe('restart');
    expect(said.join()).toMatch(/i2c.*no default route/);
    put('/proc/net/route', route);
    for (let round = 0; round < 2; round += 1) {
      start();
      expect(await settled()).toBe('nothing');
      await want('i2c');
      expect(status('i2c')).toEqual([{ name: 'i2c', applied: false, reason: expect.stringContaining('did not prove to work') }]);
    }
    await want();
    await want('i2c');
    start();
    expect(await settled()).toBe('kept');
  });

  test('that never come up, or whose start is cut off, are not tried again', async () => {
    await want('i2c');
    start();
    start();
    expect(text(disk, '/proc/cmdline')).not.toContain('i2c');
    expect(status('i2c')[0]).toMatchObject({ applied: false });
  });

  test('are not kept by an engine that does not answer', async () => {
    await want('i2c');
    start();
    const engine = { ...fakeEngine(disk, endless, {}), find: () => Promise.reject(new Error('no engine')) };
    expect(await settle(fakeDevice(disk, endless), engine, patience, async (line) => void said.push(line))).toBe('restart');
    expect(said.join()).toContain('no engine');
  });

  test('need no network where there was none', async () => {
    put('/proc/net/route', 'Iface\tDestination\n');
    await want('i2c');
    start();
    expect(await settled(false)).toBe('kept');
  });

  test('that cannot be applied are told of, and hold nothing up', async () => {
    await want('broken', 'i2c');
    start('broken');
    expect(await settled()).toBe('kept');
    expect(status('broken', 'i2c')).toEqual([{ name: 'broken', applied: false, reason: expect.stringContaining('overlays/broken.dtbo') }, { name: 'i2c', applied: true }]);
  });

  test('can be kept by hand', async () => {
    await want('i2c');
    start();
    await markGood(fakeDevice(disk, endless), fakeEngine(disk, endless, {}), async () => undefined);
    start();
    expect(status('i2c')).toEqual([{ name: 'i2c', applied: true }]);
  });

  test('are written once: a set that the loader has stays as it is, another one is tried anew', async () => {
    await want('i2c');
    start();
    await settled();
    const kept = text(disk, file);
    await want('i2c');
    expect(text(disk, file)).toBe(kept);
    await want('uart');
    expect(status('uart')).toMatchObject([{ name: 'uart', applied: false }, { name: 'i2c', applied: true, reason: expect.stringContaining('next start') }]);
    await want();
    expect(disk.files.has(file)).toBe(false);
    start();
    expect(status()).toEqual([]);
  });

  test('that the image was built with are the same to the device', async () => {
    const built = 'overlay_before=none\noverlay_tries=1\noverlays=i2c uart\n\0';
    put(file, built);
    await want('i2c', 'uart');
    expect(text(disk, file)).toBe(built);
    start();
    expect(await settled()).toBe('kept');
  });

  test('are refused by a board that has no device tree, or another loader', async () => {
    disk.files.delete('/boot/boot.scr');
    await expect(want('i2c')).rejects.toThrow(expect.objectContaining({ code: 'NO_DEVICE_TREE', hint: expect.stringMatching(/./) }));
    expect(disk.files.has(file)).toBe(false);
    expect(status('i2c')).toEqual([{ name: 'i2c', applied: false, reason: expect.stringContaining('U-Boot') }]);
    await want();
  });

  test('leave the loader with the old set or the new one wherever the power goes', async () => {
    await want('before');
    start();
    await settled();
    const kept = text(disk, file);
    const before = new Map(disk.files);
    for (let changes = 0; changes < 10; changes += 1) {
      disk.files = new Map(before);
      const power = { changesLeft: changes, torn: true };
      await wantOverlays(memoryFiles(disk, power), fakeDevice(disk, power).boot, ['after']).catch(() => undefined);
      if (text(disk, file) !== kept) expect(status('after')[0]).toMatchObject({ name: 'after', reason: expect.stringContaining('next start') });
    }
  });

  test('have names that are parts of file names and nothing else', () => {
    const complaints = (name: unknown): number => readConfig(JSON.stringify({ os: { deviceTree: { overlays: [name] } } }), undefined).complaints.length;
    for (const name of ['i2c-gpio', 'BB-I2C1-00A0', 'maker,part_v1.2', '1']) expect(complaints(name), name).toBe(0);
    for (const name of ['', '../config', '.hidden', '-x', 'a b', 'a;reset', 'a$b', 'a/b', 'a:b', 'a\nb', 'i2c-gpio.dtbo', 'a'.repeat(41), 'ä', 5]) expect(complaints(name), String(name)).toBe(1);
  });
});
