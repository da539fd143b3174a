import { beforeEach, describe, expect, test } from 'vitest';

import { describeLocks, settle, takeLocks, updateLocks } from '../../../src/engine/os/index.ts';
import type { Device } from '../../../src/engine/os/index.ts';
import { fakeDevice, fakeEngine, inodeOf, places, started, type Disk } from './support/fake-device.ts';

const endless = { changesLeft: Number.POSITIVE_INFINITY, torn: false };
const container = 'c'.repeat(64);
const file = `${places.locks}/app/updates.lock`;
const nameless = async (): Promise<undefined> => undefined;

let disk: Disk;
let said: string[];
const put = (path: string, text: string): void => void disk.files.set(path, Buffer.from(text));
const say = async (line: string): Promise<void> => void said.push(line);
/** A line of /proc/locks (proc_locks(5)). */
const row = (path: string, { kind = 'FLOCK', pid = 41, device = '00:1a', waits = false } = {}): string => `1: ${waits ? '-> ' : ''}${kind}  ADVISORY  WRITE ${pid} ${device}:${inodeOf(path)} 0 EOF\n`;
const device = (): Device => fakeDevice(disk, endless);

beforeEach(() => {
  disk = { files: new Map(), folders: new Set(['/boot']) };
  said = [];
  started(disk, 'A', '1.0');
  put('/proc/self/mountinfo', '22 1 254:2 / / ro - erofs /dev/vda2 ro\n23 22 0:24 / /run rw - tmpfs tmpfs rw\n24 22 0:26 / /locks rw - tmpfs tmpfs rw\n');
  put(file, '');
  put('/proc/41/comm', 'flasher\n');
  put('/proc/41/cgroup', `0::/system.slice/minke-${container}.scope\n`);
});

describe('locks of applications', () => {
  test('are files that a process has locked, with who it is', async () => {
    put('/proc/locks', row(file) + row('/locks/host.lock', { kind: 'POSIX', pid: 42 }));
    put('/locks/host.lock', '');
    put('/proc/42/comm', 'backup\n');
    put('/proc/42/cgroup', '0::/system.slice/backup.service\n');
    expect(updateLocks(device())).toEqual([{ file, holders: [{ pid: 41, program: 'flasher', container }] }, { file: '/locks/host.lock', holders: [{ pid: 42, program: 'backup' }] }]);
    expect(await describeLocks(updateLocks(device()), async (id) => (id === container ? 'app' : undefined))).toEqual([
      `${file} is locked by flasher (process 41) of container app`, '/locks/host.lock is locked by backup (process 42)',
    ]);
  });

  test.each<[string, () => void]>([
    ['a file that nobody has locked', () => put('/proc/locks', '')],
    ['one that somebody waits for', () => put('/proc/locks', row(file, { waits: true }))],
    ['a file of another file system with the same number', () => put('/proc/locks', row(file, { device: 'fe:02' }))],
    ['a file of another name', () => (put('/locks/app/data.db', ''), put('/proc/locks', row('/locks/app/data.db')))],
    ['a file deeper down', () => (put('/locks/app/deep/x.lock', ''), put('/proc/locks', row('/locks/app/deep/x.lock')))],
    ['a lease, which the holder loses when somebody wants it', () => put('/proc/locks', row(file, { kind: 'LEASE' }))],
    ['anything where the kernel lists no locks', () => undefined],
  ])('are not %s', async (_, arrange) => {
    arrange();
    expect(updateLocks(device())).toEqual([]);
    expect(await takeLocks(device(), 0, nameless, say)).toBeDefined();
  });

  test('of a process that has ended, and of one that the kernel does not name, are told as such', async () => {
    put('/proc/locks', row(file, { pid: 77 }) + row(file, { kind: 'OFDLCK', pid: -1 }));
    expect(await describeLocks(updateLocks(device()), nameless)).toEqual([`${file} is locked by process 77, which has ended and left it to a child, a process that the kernel does not name`]);
  });

  test('are waited for, with one word about it, and then taken', async () => {
    put('/proc/locks', row(file));
    const waiting = device();
    let looks = 0;
    const { readText } = waiting.system.files;
    waiting.system.files.readText = (path) => {
      if (path === '/proc/locks' && (looks += 1) > 5) put('/proc/locks', '');
      return readText(path);
    };
    const locked: number[] = [];
    waiting.system.files.tryLock = (fd) => (locked.push(fd), true);
    const taken = await takeLocks(waiting, 600_000, nameless, say);
    expect([taken !== undefined, looks, locked.length, said]).toEqual([true, 6, 1, [`the restart is held off: ${file} is locked by flasher (process 41) of container ${'c'.repeat(12)}`]]);
    taken?.release();
  });

  test('that are taken at the last moment are waited for as well, and none is kept meanwhile', async () => {
    put('/locks/other.lock', '');
    put('/proc/locks', '');
    const racing = device();
    const open = new Set<number>();
    let tries = 0;
    const { files } = racing.system;
    const { openRoot, close } = files;
    files.openRoot = (path) => {
      const root = openRoot(path);
      return { ...root, open: (name, mode) => { const fd = root.open(name, mode); open.add(fd); return fd; } };
    };
    files.close = (fd) => (open.delete(fd), close(fd));
    // The second file of the first round is somebody's.
    files.tryLock = () => (tries += 1) !== 2;
    const taken = await takeLocks(racing, 600_000, nameless, say);
    expect([tries, open.size]).toEqual([4, 2]);
    taken?.release();
    expect(open.size).toBe(0);
  });

  test('hold off for as long as was said, and no longer', async () => {
    put('/proc/locks', row(file));
    const waiting = device();
    const begin = waiting.system.clock.monotonicMs();
    expect(await takeLocks(waiting, 30_000, nameless, say)).toBeUndefined();
    const took = waiting.system.clock.monotonicMs() - begin;
    expect(took).toBeGreaterThanOrEqual(30_000);
    expect(took).toBeLessThan(40_000);
  });

  test('give a release that does not work some time, not its life', async () => {
    put('/boot/minke/slot.env', 'slot=A\n');
    put('/boot/minke/try.env', 'tries=0\ntry=B\n\0');
    started(disk, 'B', '1.1');
    put('/checks/never', '');
    put('/proc/locks', row(file));
    const trial = device();
    trial.system.processes.spawn = () => ({ pid: 1, streams: [], wait: async () => 1 });
    expect(await settle(trial, fakeEngine(disk, endless, {}), { healthMs: 10_000, locksMs: 20_000 }, say)).toBe('restart');
    expect(said.slice(-3)).toEqual([expect.stringContaining('going back to slot A'), expect.stringContaining('held off'), 'restarting all the same']);
    expect(disk.files.has('/boot/minke/try.env')).toBe(false);
  });
});
