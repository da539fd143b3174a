import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { CacheLayout } from './layout.ts';
import { ownIdentity } from './lock.ts';

/** Runs an action with a scratch folder of its own, which goes with it. Builds remove scratch folders without a living owner; this one has one. */
export async function inWorkFolder<T>(layout: CacheLayout, name: string, action: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(layout.work(), { recursive: true });
  const folder = await mkdtemp(join(layout.work(), `${name}-`));
  try {
    await writeFile(join(folder, 'owner'), await ownIdentity());
    return await action(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
