import type { OsEngine } from './engine.ts';

/** Image of the release that runs: the next one comes as a delta to it. */
export const CURRENT_IMAGE = 'minke-os/current:latest';
/** Image of a release that is being written or tried. */
export const NEXT_IMAGE = 'minke-os/next:latest';

/** Makes an image that of the release that runs. The one before is removed: it would fill the disk, one release after the other. */
export async function keepImage(engine: OsEngine, id: string): Promise<void> {
  const before = await engine.find(CURRENT_IMAGE);
  await engine.name(id, CURRENT_IMAGE);
  if (before !== undefined && before !== id) await engine.remove(before);
}

/** Removes the image of a release that will not run, unless it is the one that runs. */
export async function dropImage(engine: OsEngine, id: string): Promise<void> {
  if ((await engine.find(CURRENT_IMAGE)) !== id) await engine.remove(id);
}
