import { canonicalName, parseImageConfig, parseReference, type ImageConfig, type ImageStore, type OtherRoot, type Reference } from '../images/index.ts';
import { DELTA_ARTIFACT, DELTA_BASE, deltaTag, describeDelta } from '../delta/delta-image.ts';
import type { Cancellation } from '../ports/index.ts';
import { listReferrers, RegistryError, taggedReferrers, type Descriptor, type ImageManifest, type Referrer, type Repository } from '../registry/index.ts';

/** A delta in the image's own repository, to an image that is here. */
export interface FoundDelta {
  manifest: ImageManifest;
  configText: string;
  config: ImageConfig;
}

export interface DeltaSearch {
  repository: Repository;
  reference: Reference;
  /** The image that is wanted: its id, and the digest of its manifest there. */
  target: { id: string; digest: string };
  /** What the delta has to be smaller than. */
  limitBytes: number;
  images: Pick<ImageStore, 'all' | 'taggedAt'>;
  otherRoot: Pick<OtherRoot, 'imageIds'>;
  cancellation: Cancellation;
  fetchConfig(descriptor: Descriptor): Promise<string>;
}

/** Tags of ours that are asked for, and referrers that are looked at: each costs a request. */
const BASES_LIMIT = 3;

/**
 * Looks for a delta from what the device has. The registry's list of what refers to the target answers with one request for all bases; where it has no
 * such list, our own tags are asked for the images of the repository, the newest first, and then the tag that OCI has for such registries. A delta that would load more
 * than the limit is none, nor is one that does not say that it gives the target.
 */
export async function findDelta(search: DeltaSearch): Promise<FoundDelta | undefined> {
  const { repository, target, cancellation } = search;
  const listed = await listReferrers(repository, target.digest, DELTA_ARTIFACT, cancellation);
  const found = await firstGood(search, choose(search, listed ?? []));
  if (found !== undefined) return found;
  const tags = namedBases(search).slice(0, BASES_LIMIT).map((baseId) => deltaTag(baseId, target.id));
  return (await firstGood(search, tags)) ?? (listed === undefined ? firstGood(search, choose(search, await taggedReferrers(repository, target.digest, DELTA_ARTIFACT, cancellation))) : undefined);
}

/** The first of some manifests, by tag or digest, that is what is looked for. */
async function firstGood(search: DeltaSearch, candidates: readonly string[]): Promise<FoundDelta | undefined> {
  const { repository, target, limitBytes, fetchConfig } = search;
  for (const candidate of candidates) {
    const manifest = await manifestOf(repository, candidate);
    if (manifest === undefined) continue;
    const blobBytes = [manifest.config, ...manifest.layers].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (blobBytes >= limitBytes) continue;
    const configText = await fetchConfig(manifest.config);
    const config = parseImageConfig(configText);
    if (describeDelta(config)?.targetId === target.id && manifest.layers.length === 1) return { manifest, configText, config };
  }
  return undefined;
}

/** Digests of referrers that say that they begin with an image that is here; those of the repository first. */
function choose(search: DeltaSearch, referrers: readonly Referrer[]): string[] {
  if (referrers.length === 0) return [];
  const bases = [...new Set([...namedBases(search), ...search.images.all().map(({ id }) => id), ...search.otherRoot.imageIds()])];
  return bases.flatMap((baseId) => referrers.filter(({ annotations }) => annotations[DELTA_BASE] === baseId).map(({ digest }) => digest)).slice(0, BASES_LIMIT);
}

/** Ids of the images that have a name in the repository, the one whose name is to be moved first; then those of the other root, whose names nobody knows. */
function namedBases({ reference, images, otherRoot }: DeltaSearch): string[] {
  const named = canonicalName(reference);
  const ranks = new Map<string, string>();
  for (const { id, names } of images.all()) {
    if (names.includes(named)) ranks.set(id, '~');
    else if (names.map(parseReference).some(({ domain, path }) => domain === reference.domain && path === reference.path)) ranks.set(id, images.taggedAt(id) ?? '');
  }
  const own = [...ranks].toSorted(([, a], [, b]) => (a < b ? 1 : -1)).map(([id]) => id);
  return [...own, ...otherRoot.imageIds().filter((id) => !ranks.has(id))];
}

async function manifestOf(repository: Repository, tagOrDigest: string): Promise<ImageManifest | undefined> {
  try {
    const { document } = await repository.manifest(tagOrDigest);
    return document.kind === 'image' ? document : undefined;
  } catch (error) {
    // No such manifest, one that nobody may read, or something else under its name.
    if (error instanceof RegistryError && ((error.status >= 400 && error.status < 500 && error.status !== 429) || ['MANIFEST_INVALID', 'DIGEST_INVALID'].includes(error.code))) return undefined;
    throw error;
  }
}
