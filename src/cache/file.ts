import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

import { OsbuildError } from '../model/index.ts';
import { isDiskFull } from './disk-full.ts';

let counter = 0;

/** A name beside `path` that no other process or call uses. */
export function temporaryName(path: string): string {
  return `${path}.${process.pid}.${counter++}.tmp`;
}

/** Writes a small file so that a reader sees the old content or the new, and never half of it, even after a power cut. */
export async function writeFileAtomic(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = temporaryName(path);
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw diskError(error, path);
  }
}

/** Turns "no space left" into our error; returns anything else as it is. */
export function diskError(error: unknown, path: string): unknown {
  if (!isDiskFull(error)) return error;
  return new OsbuildError('OSB_DISK_FULL', `no space left on the disk that holds ${path}`, {
    hint: 'free space there, run `osbuild cache prune --keep 10GB` (what was used longest ago goes), or set OSBUILD_CACHE_DIR to a folder on another disk; the next run continues from here',
    cause: error,
  });
}

export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === 'ENOENT';
}
