import { systemErrorCode } from '../error.ts';
import type { Fd, Files } from '../ports/index.ts';
import type { HostConfig } from './config.ts';
import type { ContainerContext } from './context.ts';
import { parseSize } from './sizes.ts';

const LOG_FILE = 'container.log';

/** The file that conmon writes to; those that were set aside stand beside it. */
export function logPath(context: ContainerContext, id: string): string {
  return `${context.collection.folder(id)}/${LOG_FILE}`;
}

export interface LogLimits {
  /** A file that has grown this long is set aside; undefined for never. */
  sizeBytes: number | undefined;
  /** How many there are at most, the one that is written to included. */
  files: number;
}

/** As Docker has them: `local` has limits unless told otherwise, the others have none. */
export function logLimits({ Type, Config }: HostConfig['LogConfig']): LogLimits {
  const local = Type === 'local';
  const size = Config['max-size'] ?? (local ? '20m' : undefined);
  return { sizeBytes: parseSize(size), files: Number(Config['max-file'] ?? (local ? 5 : 1)) };
}

/** What is wrong with a driver's options; undefined when nothing is. */
export function logOptionProblem({ Config }: HostConfig['LogConfig']): string | undefined {
  const { 'max-size': size, 'max-file': count } = Config;
  if (size !== undefined && size !== '-1' && parseSize(size) === undefined) return `invalid value for max-size: ${size}`;
  if (count === undefined) return undefined;
  if (!/^[+-]?\d{1,9}$/.test(count)) return `invalid value for max-file: ${count}`;
  return Number(count) < 1 ? 'max-file cannot be less than 1' : undefined;
}

/** Numbers of the files that were set aside, the newest (1) first. There may be gaps. */
export function setAside(files: Files, path: string): number[] {
  const slash = path.lastIndexOf('/');
  const start = `${path.slice(slash + 1)}.`;
  return files.readdir(path.slice(0, slash))
    .filter(({ name }) => name.startsWith(start) && /^[1-9]\d{0,8}$/.test(name.slice(start.length)))
    .map(({ name }) => Number(name.slice(start.length)))
    .toSorted((a, b) => a - b);
}

/**
 * Sets the log aside as file 1 and moves what is there up by one; the oldest goes. Renames alone, so that nothing is lost or doubled wherever it
 * is cut short: the gap that is left is filled the next time.
 */
export function shiftLogs(files: Files, path: string, limit: number): void {
  const taken = new Set(setAside(files, path));
  let free = 1;
  while (free < limit - 1 && taken.has(free)) free += 1;
  for (let number = free; number > 1; number -= 1) files.rename(`${path}.${number - 1}`, `${path}.${number}`);
  files.rename(path, `${path}.1`);
}

export interface LogFile {
  fd: Fd;
  inode: bigint;
}

function openLog(files: Files, path: string): LogFile | undefined {
  try {
    const fd = files.open(path, 'read');
    return { fd, inode: files.fstat(fd).inode };
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function inodeAt(files: Files, path: string): bigint | undefined {
  try {
    return files.stat(path).inode;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** All of a log, the oldest file first. */
export function openLogs(files: Files, path: string): LogFile[] {
  // From the newest on: files move to higher numbers meanwhile, so that none is missed, but some may be met again.
  const found: LogFile[] = [];
  const take = (name: string): boolean => {
    const log = openLog(files, name);
    if (log === undefined) return false;
    const known = found.findIndex(({ inode }) => inode === log.inode);
    if (known < 0) {
      found.push(log);
      return true;
    }
    // What came behind it is newer than the first; a follower comes to it in turn.
    for (const { fd } of [log, ...found.splice(known + 1)]) files.close(fd);
    return true;
  };
  take(path);
  const highest = setAside(files, path).at(-1) ?? 0;
  for (let number = 1; take(`${path}.${number}`) || number < highest; number += 1);
  return found.toReversed();
}

/** The file that follows one which nothing is written to any more; undefined while it is the newest. */
export function nextLog(files: Files, path: string, current: LogFile): LogFile | undefined {
  for (;;) {
    if (inodeAt(files, path) === current.inode) return undefined;
    const numbers = setAside(files, path);
    const at = numbers.findIndex((number) => inodeAt(files, `${path}.${number}`) === current.inode);
    const own = numbers[at];
    const newer = at < 0 ? numbers.at(-1) : numbers[at - 1];
    const next = openLog(files, newer === undefined ? path : `${path}.${newer}`);
    // conmon has not begun the new file yet, and goes on in this one.
    if (next === undefined && newer === undefined) return undefined;
    const moved = own !== undefined && inodeAt(files, `${path}.${own}`) !== current.inode;
    if (next !== undefined && next.inode !== current.inode && !moved) return next;
    if (next !== undefined) files.close(next.fd);
  }
}
