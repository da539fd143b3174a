import { systemErrorCode } from '../error.ts';
import { sleep, type Fd } from '../ports/index.ts';
import type { Device } from './device.ts';
import type { Say } from './say.ts';

/** A process that has a lock. */
export interface LockHolder {
  pid: number;
  /** Name of its program; '' when it has ended and left the lock to a child. */
  program: string;
  /** Container that it belongs to. */
  container?: string;
}

/** A file that somebody has locked, and that holds off restarts. */
export interface UpdateLock {
  file: string;
  holders: LockHolder[];
}

/** Locks that this program has taken, so that nobody gets one while the system goes down. */
export interface TakenLocks {
  release(): void;
}

/** How names of containers are found by their id; undefined where they cannot be. */
export type ContainerName = (id: string) => Promise<string | undefined>;

interface LockFile {
  path: string;
  /** As /proc/locks names it: device and inode. */
  key: string;
}

const SUFFIX = '.lock';
const POLL_MS = 1000;

/**
 * Locks of applications: files *.lock in the folder of locks, or one folder below it, which containers bind. A file counts while a process has locked it
 * (flock or fcntl); the kernel lets go of it when the last process that has it open ends, so a container that died holds nothing.
 */
export function updateLocks(device: Pick<Device, 'system' | 'places'>): UpdateLock[] {
  const rows = lockRows(device);
  if (rows.length === 0) return [];
  return lockFiles(device).flatMap(({ path, key }) => {
    const pids = [...new Set(rows.filter((row) => row.key === key).map(({ pid }) => pid))];
    return pids.length === 0 ? [] : [{ file: path, holders: pids.map((pid) => holder(device, pid)) }];
  });
}

/** Waits until nobody has a lock and takes all of them; undefined when that did not come within the time. */
export async function takeLocks(device: Pick<Device, 'system' | 'places'>, timeoutMs: number, nameOf: ContainerName, say: Say): Promise<TakenLocks | undefined> {
  const { clock } = device.system;
  let said = '';
  for (const until = clock.monotonicMs() + timeoutMs; ; ) {
    const held = updateLocks(device);
    if (held.length === 0) {
      const taken = takeAll(device);
      if (taken !== undefined) return taken;
    }
    const text = (await describeLocks(held, nameOf)).join('; ');
    if (text !== said && text !== '') await say(`the restart is held off: ${text}`);
    said = text;
    if (clock.monotonicMs() >= until) return undefined;
    await sleep(clock, Math.min(POLL_MS, Math.max(1, until - clock.monotonicMs())));
  }
}

/** A line for each lock: who has it. */
export async function describeLocks(locks: readonly UpdateLock[], nameOf: ContainerName): Promise<string[]> {
  return Promise.all(
    locks.map(async ({ file, holders }) => {
      const who = await Promise.all(
        holders.map(async ({ pid, program, container }) => {
          const process = pid <= 0 ? 'a process that the kernel does not name' : program === '' ? `process ${pid}, which has ended and left it to a child` : `${program} (process ${pid})`;
          return container === undefined ? process : `${process} of container ${(await nameOf(container)) ?? container.slice(0, 12)}`;
        }),
      );
      return `${file} is locked by ${who.join(', ')}`;
    }),
  );
}

/** Undefined when somebody was faster. */
function takeAll(device: Pick<Device, 'system' | 'places'>): TakenLocks | undefined {
  const { system: { files }, places } = device;
  const taken = new Map<string, Fd>();
  const release = (): void => {
    for (const fd of taken.values()) files.close(fd);
    taken.clear();
  };
  if (!files.exists(places.locks)) return { release };
  const root = files.openRoot(places.locks);
  try {
    // Until a look finds no file that is new: a container may begin at any time.
    for (let fresh = lockFiles(device); fresh.length > 0; fresh = lockFiles(device).filter(({ key }) => !taken.has(key))) {
      for (const { path, key } of fresh) {
        const fd = openLock(() => root.open(path.slice(places.locks.length + 1), 'read'));
        if (fd === undefined) continue;
        taken.set(key, fd);
        if (files.tryLock(fd)) continue;
        release();
        return undefined;
      }
      if (fresh.every(({ key }) => !taken.has(key))) break; // none of them can be opened
    }
    return { release };
  } catch (error) {
    release();
    throw error;
  } finally {
    root.close();
  }
}

/** A file that is gone again locks nothing. */
function openLock(open: () => Fd): Fd | undefined {
  try {
    return open();
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return undefined;
  }
}

/** The names come from containers: whatever they are links to is not followed. */
function lockFiles({ system: { files }, places }: Pick<Device, 'system' | 'places'>): LockFile[] {
  if (!files.exists(places.locks)) return [];
  const found: LockFile[] = [];
  const look = (folder: string, deep: boolean): void => {
    for (const { name, type } of list(files, folder)) {
      const path = `${folder}/${name}`;
      if (type === 'directory' && deep) look(path, false);
      else if (type === 'file' && name.endsWith(SUFFIX)) {
        const key = keyOf(files, path);
        if (key !== undefined) found.push({ path, key });
      }
    }
  };
  look(places.locks, true);
  return found.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

type Files = Device['system']['files'];

function list(files: Files, folder: string): ReturnType<Files['readdir']> {
  try {
    return files.readdir(folder);
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return [];
  }
}

/** Inode and device, as /proc/locks has them: hexadecimal numbers of the device, which mountinfo has in decimal. */
function keyOf(files: Files, path: string): string | undefined {
  try {
    const { inode, type } = files.lstat(path);
    return type === 'file' ? `${deviceOf(files.readText('/proc/self/mountinfo'), path)}:${inode}` : undefined;
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return undefined;
  }
}

/** Device of the file system that a path lies on, as /proc/locks writes it. */
function deviceOf(mounts: string, path: string): string {
  let device = '';
  let longest = -1;
  for (const line of mounts.split('\n')) {
    const [, , numbers = '', , mounted = ''] = line.split(' ');
    const point = mounted.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
    // Of two at the same place the later one covers the other.
    if (point === '' || point.length < longest || !(point === '/' || path.startsWith(`${point}/`))) continue;
    longest = point.length;
    device = numbers.split(':').map((number) => Number(number).toString(16).padStart(2, '0')).join(':');
  }
  return device;
}

/** Locks that are held, of all files of the system; those who wait for one hold nothing. */
function lockRows({ system: { files } }: Pick<Device, 'system'>): { pid: number; key: string }[] {
  if (!files.exists('/proc/locks')) return [];
  return files.readText('/proc/locks').split('\n').flatMap((line) => {
    const match = /^\d+: (?:FLOCK|POSIX|OFDLCK)\s+\S+\s+\S+\s+(-?\d+) ([0-9a-f]+:[0-9a-f]+:\d+) /.exec(line);
    return match === null ? [] : [{ pid: Number(match[1]), key: match[2] ?? '' }];
  });
}

function holder({ system: { files } }: Pick<Device, 'system'>, pid: number): LockHolder {
  const read = (name: string): string => {
    try {
      return files.readText(`/proc/${pid}/${name}`);
    } catch (error) {
      if (systemErrorCode(error) === undefined) throw error;
      return '';
    }
  };
  const container = /[0-9a-f]{64}/.exec(read('cgroup'))?.[0];
  return { pid, program: read('comm').trim(), ...(container === undefined ? {} : { container }) };
}
