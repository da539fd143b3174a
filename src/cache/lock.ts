import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { isMissing, temporaryName } from './file.ts';

/** Identity of a process that survives pid reuse: pid and start time, from proc(5) /proc/<pid>/stat field 22. */
async function processIdentity(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return `${pid} ${afterName[19]}`;
  } catch {
    return null;
  }
}

/** Whether the process that wrote this identity still runs. */
export async function isAlive(identity: string): Promise<boolean> {
  const pid = Number(identity.split(' ')[0]);
  return Number.isInteger(pid) && pid > 0 && (await processIdentity(pid)) === identity.trim();
}

export async function ownIdentity(): Promise<string> {
  const identity = await processIdentity(process.pid);
  if (identity === null) throw new Error('this process is not in /proc');
  return identity;
}

/**
 * Waits for and takes a lock between processes of one machine. A lock whose owner died is taken over. Returns the
 * function that gives it back. `link` makes it atomic: the file appears with its content or not at all.
 */
export async function lockFile(path: string, signal: AbortSignal, waiting?: () => void): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true });
  const mine = temporaryName(path);
  await writeFile(mine, await ownIdentity());
  let told = false;
  try {
    for (;;) {
      try {
        await link(mine, path);
        return async () => rm(path, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      if (await removeStale(path)) continue;
      if (!told) waiting?.();
      told = true;
      await sleep(200, undefined, { signal });
    }
  } finally {
    await rm(mine, { force: true });
  }
}

/**
 * Takes away the lock of a dead owner. The rename decides between two who try it at once; a lock that turns out to be
 * somebody's fresh one is put back.
 */
async function removeStale(path: string): Promise<boolean> {
  const aside = temporaryName(path);
  try {
    if (await isAlive(await readFile(path, 'utf8'))) return false;
    await rename(path, aside);
    if (await isAlive(await readFile(aside, 'utf8'))) await link(aside, path).catch(() => undefined);
    return true;
  } catch (error) {
    if (isMissing(error)) return true;
    throw error;
  } finally {
    await rm(aside, { force: true });
  }
}
