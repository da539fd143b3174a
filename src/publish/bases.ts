import type { Manifest, Repository } from '../registry/index.ts';
import { readRelease, type ReleaseImage } from './release.ts';

/** A release in a repository. */
export interface HeldRelease extends ReleaseImage {
  /** Tag or digest. */
  reference: string;
  manifest: Manifest;
}

/** Tags of ours and of others that name no image: deltas, lists of referrers, signatures. */
const beside = /^(?:delta-[0-9a-f]{16}-[0-9a-f]{16}|sha256-[0-9a-f]{64}.*)$/;
const requestsAtATime = 6;

/** All releases that a repository has tags for, each image once. */
export async function heldReleases(repository: Repository): Promise<HeldRelease[]> {
  const tags = (await repository.tags()).filter((tag) => !beside.test(tag)).toSorted();
  const found = new Map<string, HeldRelease>();
  const lane = async (): Promise<void> => {
    for (let tag = tags.shift(); tag !== undefined; tag = tags.shift()) {
      const held = await heldRelease(repository, tag);
      if (held !== null && !found.has(held.imageId)) found.set(held.imageId, held);
    }
  };
  await Promise.all(Array.from({ length: requestsAtATime }, lane));
  return [...found.values()];
}

/** What stands under a tag or a digest; null where that is nothing, or no release. */
export async function heldRelease(repository: Repository, reference: string): Promise<HeldRelease | null> {
  const manifest = await repository.manifest(reference);
  if (manifest?.config == null || manifest.layers.length === 0) return null;
  const release = readRelease(manifest.config.digest, await repository.text(manifest.config));
  return release === null ? null : { ...release, reference, manifest };
}

/** Of all releases the last ones of the same machine that are no newer: what devices that will be updated run. `compare` orders versions. */
export function chooseBases(target: ReleaseImage, held: readonly HeldRelease[], count: number, compare: (a: string, b: string) => number): HeldRelease[] {
  return held
    .filter(({ imageId, machine, version }) => imageId !== target.imageId && machine === target.machine && compare(version, target.version) <= 0)
    .toSorted((a, b) => compare(b.version, a.version) || (a.imageId < b.imageId ? -1 : 1))
    .slice(0, count);
}
