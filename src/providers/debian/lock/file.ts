import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { OsbuildError, type DebianLock, type DebianRequest, type LockedFile, type LockedSource } from '../../../model/index.ts';
import { sortRequest } from '../apt/resolve.ts';

/** Text of a lock file: one package a line, so that a difference between two locks reads as a list of packages. */
export function formatLock(lock: DebianLock): string {
  const { packages, sources, ...head } = lock;
  const list = (items: unknown[]): string => `[\n${items.map((item) => `    ${JSON.stringify(item)}`).join(',\n')}\n  ]`;
  return `${JSON.stringify(head, null, 2).replace(/\n\}$/, '')},\n  "packages": ${list(packages)}${sources === undefined ? '' : `,\n  "sources": ${list(sources)}`}\n}\n`;
}

/**
 * Reads a lock file; null when there is none.
 * @throws OSB_LOCK_STALE for a file that is not a lock of this version (a merge conflict left in it, for one)
 */
export async function readLock(file: string): Promise<DebianLock | null> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return null;
  try {
    const lock = JSON.parse(text) as DebianLock;
    const sound = lock.version === 1 && Array.isArray(lock.packages) && lock.packages.every(isLocked) && Array.isArray(lock.request.packages);
    if (sound && (lock.sources ?? []).every(isLockedSource)) return lock;
  } catch {
    // Told below, with what to do about it.
  }
  throw new OsbuildError('OSB_LOCK_STALE', `${file} is not a lock file.`, { hint: 'Restore it from version control, or write it anew with `osbuild lock --update`.' });
}

/** Writes a lock file, whole or not at all. */
export async function writeLock(file: string, lock: DebianLock): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const fresh = `${file}.${process.pid}.new`;
  try {
    await writeFile(fresh, formatLock(lock));
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

/** Whether a lock answers this request. */
export function lockAnswers(lock: DebianLock, wanted: { request: DebianRequest; suite: string; components: string[] }): boolean {
  const text = (request: DebianRequest): string => JSON.stringify(sortRequest(request));
  return lock.suite === wanted.suite && JSON.stringify(lock.components) === JSON.stringify(wanted.components) && text(lock.request) === text(wanted.request);
}

function isLocked(item: unknown): boolean {
  const locked = item as Partial<DebianLock['packages'][number]> | null;
  return typeof locked?.name === 'string' && typeof locked.version === 'string' && isLockedFile(locked);
}

function isLockedSource(item: unknown): boolean {
  const locked = item as Partial<LockedSource> | null;
  return typeof locked?.name === 'string' && typeof locked.version === 'string' && Array.isArray(locked.files) && locked.files.every(isLockedFile);
}

function isLockedFile(item: unknown): boolean {
  const locked = item as Partial<LockedFile> | null;
  return (
    typeof locked === 'object' &&
    locked !== null &&
    /^[0-9a-f]{64}$/.test(locked.sha256 ?? '') &&
    typeof locked.filename === 'string' &&
    !locked.filename.split('/').includes('..') &&
    Number.isSafeInteger(locked.sizeBytes)
  );
}
