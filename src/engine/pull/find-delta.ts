import { canonicalName, parseImageConfig, parseReference, type ImageConfig, type ImageStore, type Reference } from '../images/index.ts';
import { deltaTag, describeDelta } from '../delta/delta-image.ts';
import { RegistryError, type Descriptor, type ImageManifest, type Repository } from '../registry/index.ts';

/** A delta in the image's own repository, to an image that is here. */
export interface FoundDelta {
  manifest: ImageManifest;
  configText: string;
  config: ImageConfig;
}

/** Bases that are asked for: each costs a request. */
const BASES_LIMIT = 3;

/**
 * Looks for a delta from what the device has of a repository, the newest first. A delta that would load more than `limitBytes` is none, nor is one
 * that does not say that it gives the target.
 */
export async function findDelta(repository: Repository, reference: Reference, targetId: string, limitBytes: number, images: Pick<ImageStore, 'all' | 'taggedAt'>, fetchConfig: (descriptor: Descriptor) => Promise<string>): Promise<FoundDelta | undefined> {
  for (const baseId of localBases(reference, images)) {
    const manifest = await manifestOf(repository, deltaTag(baseId, targetId));
    if (manifest === undefined) continue;
    const blobBytes = [manifest.config, ...manifest.layers].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (blobBytes >= limitBytes) continue;
    const configText = await fetchConfig(manifest.config);
    const config = parseImageConfig(configText);
    if (describeDelta(config)?.targetId === targetId && manifest.layers.length === 1) return { manifest, configText, config };
  }
  return undefined;
}

/** Ids of the images that have a name in the repository; first the one whose name is to be moved. */
function localBases(reference: Reference, images: Pick<ImageStore, 'all' | 'taggedAt'>): string[] {
  const named = canonicalName(reference);
  const ranks = new Map<string, string>();
  for (const { id, names } of images.all()) {
    if (names.includes(named)) ranks.set(id, '~');
    else if (names.map(parseReference).some(({ domain, path }) => domain === reference.domain && path === reference.path)) ranks.set(id, images.taggedAt(id) ?? '');
  }
  return [...ranks].toSorted(([, a], [, b]) => (a < b ? 1 : -1)).slice(0, BASES_LIMIT).map(([id]) => id);
}

async function manifestOf(repository: Repository, tag: string): Promise<ImageManifest | undefined> {
  try {
    const { document } = await repository.manifest(tag);
    return document.kind === 'image' ? document : undefined;
  } catch (error) {
    // No such tag, one that nobody may read, or something else under it.
    if (error instanceof RegistryError && ((error.status >= 400 && error.status < 500 && error.status !== 429) || error.code === 'MANIFEST_INVALID')) return undefined;
    throw error;
  }
}
