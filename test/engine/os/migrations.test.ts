import { beforeEach, describe, expect, test } from 'vitest';

import { describeStatus, migrate, rollBack, settle, update, type Device } from '../../../src/engine/os/index.ts';
import { flashed, nextId, releases, start, text, whole, type Slot } from './support/fake-board.ts';
import { fakeDevice, fakeEngine, PowerCut, places, release, started, type Disk } from './support/fake-device.ts';

type Power = Parameters<typeof fakeDevice>[1];

const quietly = async (): Promise<void> => undefined;
const endless: Power = { changesLeft: Number.POSITIVE_INFINITY, torn: false };
const patience = { healthMs: 60_000, locksMs: 0 };
const request = { source: { reference: nextId }, allowDowngrade: false };
const state = '/state/net/connections';

/** What a migration of release 1.1 does with the files that it finds; how it ends. */
type Program = (files: Device['system']['files']) => Promise<number> | number;

/** The real thing in small: two files that belong together, each written in place, and one that is new. */
const convert: Program = (files) => {
  for (const name of ['home', 'office']) {
    const before = text(disk, `${state}/${name}`);
    // From what was there alone: run a second time on its own work it would double it.
    files.writeText(`${state}/${name}`, `${before.replace('format=1', 'format=2')}converted `);
  }
  files.writeText(`${state}/index`, 'home office');
  return 0;
};

let disk: Disk;
let programs: Record<string, Program>;
let lists: Record<string, string>;
let ran: string[];
let killed: number[];

beforeEach(() => {
  disk = flashed('u-boot');
  put(`${state}/home`, 'home format=1 ');
  put(`${state}/office`, 'office format=1 ');
  put('/state/other/owner', 'before ');
  programs = { '10-net': convert };
  lists = { '10-net.folders': `# what it changes\n${state}\n/state/made\n` };
  ran = [];
  killed = [];
});

const put = (path: string, content: string): void => void disk.files.set(path, Buffer.from(content));
const stateOf = (version: string): string[] => (version === '1.0' ? ['home format=1 ', 'office format=1 ', ''] : ['home format=2 converted ', 'office format=2 converted ', 'home office']);
const stateNow = (): string[] => ['home', 'office', 'index'].map((name) => text(disk, `${state}/${name}`));

/** A start as far as the programs that change state: release 1.1 brings some. */
async function begin(slot: Slot, power = endless): Promise<{ device: Device; migrated: Awaited<ReturnType<typeof migrate>> }> {
  const version = whole(disk, slot);
  if (version === undefined) throw new Error(`slot ${slot} was started, and is not whole`);
  started(disk, slot, version);
  for (const path of [...disk.files.keys()]) if (path.startsWith(`${places.migrations}/`)) disk.files.delete(path);
  if (version === '1.1') for (const [name, content] of [...Object.keys(programs).map((name) => [name, name]), ...Object.entries(lists)] as [string, string][]) put(`${places.migrations}/${name}`, content);
  const device = fakeDevice(disk, power);
  let end: (status: number) => void = () => undefined;
  device.system.clock.after = (_, callback) => {
    const timer = setTimeout(callback, 20);
    return () => clearTimeout(timer);
  };
  device.system.processes.spawn = ({ argv: [path = ''] }) => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    ran.push(`${version} ${name}`);
    const program = programs[name];
    const ended = new Promise<number>((resolve) => { end = resolve; });
    return { pid: 7, streams: [], wait: async () => (program === undefined ? 127 : Promise.race([program(device.system.files), ended])) };
  };
  device.system.processes.kill = (pid) => {
    killed.push(pid);
    end(137);
    return true;
  };
  return { device, migrated: await migrate(device, quietly) };
}

/** Starts the board as often as it takes; whatever runs to the end must find the state that is its own. */
async function untilSettled(healthy: (slot: Slot) => boolean = () => true): Promise<{ slot: Slot; version: string; starts: number }> {
  for (let starts = 1; starts < 6; starts += 1) {
    const slot = start(disk, 'u-boot');
    const { device, migrated } = await begin(slot);
    if (migrated === 'restart') continue;
    const { version } = device;
    expect(stateNow(), `the state that release ${version} finds`).toEqual(stateOf(version));
    if ((await settle(fakeDevice(disk, endless), fakeEngine(disk, endless, releases, () => healthy(slot)), patience, quietly)) !== 'restart') return { slot, version, starts };
  }
  throw new Error('it never settled');
}

const updated = (power = endless): Promise<unknown> => update(fakeDevice(disk, power), fakeEngine(disk, power, releases), request, quietly);
const status = () => describeStatus(fakeDevice(disk, endless));

describe('migrations', () => {
  test('run once, at the first start of the release that brings them, and what was there before is kept', async () => {
    await updated();
    expect(ran).toEqual([]);
    expect(await untilSettled()).toMatchObject({ slot: 'B', starts: 1 });
    expect(await untilSettled()).toMatchObject({ slot: 'B', starts: 1 });
    expect(ran).toEqual(['1.1 10-net']);
    expect(status().migration).toEqual({ version: '1.1', phase: 'done', folders: [state, '/state/made'] });
    expect(text(disk, '/state/os/migration/folders/0/home')).toBe('home format=1 ');
  });

  test('run in the order of their names, with both versions', async () => {
    lists = {};
    const seen: string[] = [];
    programs = { '20-b': () => (seen.push('b'), 0), '10-a': () => (seen.push('a'), 0), '10-net': (files) => (seen.push('net'), convert(files)) };
    await updated();
    await untilSettled();
    expect(seen).toEqual(['a', 'net', 'b']);
  });

  test('are no business of a device that was flashed, or of a release that brings none', async () => {
    expect((await begin('A')).migrated).toBe('nothing');
    programs = {};
    lists = {};
    await updated();
    expect(start(disk, 'u-boot')).toBe('B');
    expect((await begin('B')).migrated).toBe('nothing');
    expect(status().migration).toBeNull();
  });

  test('are undone when the release does not become healthy, and by that alone', async () => {
    programs['10-net'] = (files) => {
      files.writeText('/state/made/new', 'x');
      files.writeText('/state/other/owner', 'after ');
      return convert(files);
    };
    await updated();
    expect(await untilSettled((slot) => slot === 'A')).toEqual({ slot: 'A', version: '1.0', starts: 2 });
    expect([disk.files.has('/state/made/new'), text(disk, '/state/other/owner')]).toEqual([false, 'after ']);
    expect(status()).toMatchObject({ migration: { phase: 'undone', folders: [] }, update: { phase: 'rolled-back' } });
    // The next attempt begins from there.
    await updated();
    expect(await untilSettled()).toMatchObject({ slot: 'B', version: '1.1' });
  });

  test('are undone by a rollback of a release that was kept, and run again when it comes back', async () => {
    await updated();
    await untilSettled();
    await rollBack(fakeDevice(disk, endless));
    expect(await untilSettled()).toMatchObject({ slot: 'A', version: '1.0' });
    expect(await untilSettled()).toMatchObject({ slot: 'A', version: '1.0' });
    await updated();
    expect(await untilSettled()).toMatchObject({ slot: 'B', version: '1.1' });
    expect(ran).toEqual(['1.1 10-net', '1.1 10-net']);
  });

  test('run again for a release that the loader leaves and comes back to', async () => {
    await updated();
    await untilSettled();
    // As the script does when the kernel of slot B cannot be read at this start alone.
    expect((await begin('A')).migrated).toBe('undone');
    expect(stateNow()).toEqual(stateOf('1.0'));
    expect((await begin('B')).migrated).toBe('done');
    expect(stateNow()).toEqual(stateOf('1.1'));
  });

  test.each<[string, Program, RegExp]>([
    ['fail', async (files) => (await convert(files)) + 3, /10-net ended with 3/],
    ['hang', async (files) => (await convert(files)) + (await new Promise<number>(() => undefined)), /10-net did not end within 300 s/],
  ])('that %s cost the release its trial', async (how, program, reason) => {
    programs['10-net'] = program;
    await updated();
    expect(await untilSettled()).toEqual({ slot: 'A', version: '1.0', starts: 2 });
    expect(status().update).toMatchObject({ phase: 'rolled-back', reason: expect.stringMatching(reason) });
    expect(killed).toEqual(how === 'hang' ? [-7] : []);
  });

  test.each(['etc/x', '/', '/state/../etc', '/state', '/state/os', '/state/os/migration', '//x'])('that name %s change nothing', async (path) => {
    lists = { '10-net.folders': `${path}\n` };
    await updated();
    expect(await untilSettled()).toMatchObject({ slot: 'A' });
    expect(ran).toEqual([]);
    expect(status().update?.reason).toContain('no folder that migration 10-net may change');
  });

  test('bring programs of their own for what is no folder, which are kept until nobody goes back any more', async () => {
    lists['10-net.undo'] = '#!/bin/sh\n';
    programs['10-net.undo'] = (files) => (files.writeText('/state/other/owner', 'undone '), 0);
    await updated();
    await untilSettled();
    await rollBack(fakeDevice(disk, endless));
    await untilSettled();
    expect([ran, text(disk, '/state/other/owner')]).toEqual([['1.1 10-net', '1.0 10-net.undo'], 'undone ']);
    expect([...disk.files.keys()].filter((path) => path.startsWith('/state/os/migration/'))).toEqual(['/state/os/migration/journal.json']);
  });

  test('leave nothing behind once the other slot is written again', async () => {
    await updated();
    await untilSettled();
    await update(fakeDevice(disk, endless), fakeEngine(disk, endless, releases), { source: { reference: Object.keys(releases)[0] ?? '' }, allowDowngrade: true }, quietly);
    expect([...disk.files.keys()].filter((path) => path.startsWith('/state/os/migration'))).toEqual([]);
  });

  // From the update to the release that is kept, and back: the power goes at every change, once; whoever runs then finds its own state.
  test.each([[false], [true]])('may be cut off by the power anywhere (last write torn: %s)', async (torn) => {
    let cuts = 0;
    for (let changes = 0; ; changes += 1) {
      disk = flashed('u-boot');
      put(`${state}/home`, 'home format=1 ');
      put(`${state}/office`, 'office format=1 ');
      const power: Power = { changesLeft: changes, torn };
      try {
        await updated();
        expect((await begin(start(disk, 'u-boot'), power)).migrated).toBe('done');
        await settle(fakeDevice(disk, power), fakeEngine(disk, power, releases), patience, quietly);
        await rollBack(fakeDevice(disk, power));
        await begin(start(disk, 'u-boot'), power);
        break;
      } catch (error) {
        if (!(error instanceof PowerCut) && power.changesLeft >= 0) throw error;
        cuts += 1;
      }
      const { slot } = await untilSettled();
      if (slot === 'A') await updated();
      expect(await untilSettled()).toMatchObject({ slot: 'B', version: '1.1' });
    }
    expect(stateNow()).toEqual(stateOf('1.0'));
    expect(cuts).toBeGreaterThan(25);
  });

  // The same while the release before gives the state back.
  test('may be cut off while they are undone', async () => {
    let cuts = 0;
    for (let changes = 0; ; changes += 1) {
      disk = flashed('u-boot');
      put(`${state}/home`, 'home format=1 ');
      put(`${state}/office`, 'office format=1 ');
      await updated();
      await untilSettled();
      await rollBack(fakeDevice(disk, endless));
      try {
        await begin(start(disk, 'u-boot'), { changesLeft: changes, torn: true });
        break;
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error;
        cuts += 1;
      }
      expect(await untilSettled()).toMatchObject({ slot: 'A', version: '1.0', starts: 1 });
    }
    expect(cuts).toBeGreaterThan(5);
  });
});

test('a migration that is refused does not keep a release that was committed from running', async () => {
  await updated();
  expect(start(disk, 'u-boot')).toBe('B');
  programs['10-net'] = () => 1;
  put('/boot/minke/slot.env', 'slot=B\n');
  disk.files.delete('/boot/minke/try.env');
  await expect(begin('B')).rejects.toThrow('10-net ended with 1');
  expect(start(disk, 'u-boot')).toBe('B');
  expect(release('1.1').release.os.version).toBe(status().version);
});
