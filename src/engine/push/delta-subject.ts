import { DELTA_ARTIFACT, DELTA_BASE, DELTA_TARGET, describeDelta } from '../delta/delta-image.ts';
import { choosePlatform, parseReference, type Image, type ImageStore, type Reference } from '../images/index.ts';
import { RegistryError, type FetchedManifest, type Referring, type Repository } from '../registry/index.ts';

/** Manifests of a target that are looked at: an image has one for each time that it was pushed or pulled under another. */
const MANIFESTS_LIMIT = 4;
const INDEX_DEPTH_LIMIT = 3;

/** For a delta: that it refers to its target's manifest in the repository. Undefined for what is no delta, and when the target has not been there. */
export async function referringOf(repository: Repository, reference: Reference, image: Image, images: Pick<ImageStore, 'config' | 'get'>): Promise<Referring | undefined> {
  const config = images.config(image.id);
  const description = describeDelta(config);
  if (description === undefined) return undefined;
  const { baseId, targetId } = description;
  const digests = (images.get(targetId)?.names ?? []).map(parseReference).filter(({ domain, path }) => domain === reference.domain && path === reference.path).flatMap(({ digest }) => digest ?? []);
  for (const digest of [...new Set(digests)].slice(0, MANIFESTS_LIMIT)) {
    const subject = await manifestOf(repository, digest, targetId, { architecture: config.architecture, variant: config.variant ?? '' }, 0);
    if (subject !== undefined) return { artifactType: DELTA_ARTIFACT, subject, annotations: { [DELTA_BASE]: baseId, [DELTA_TARGET]: targetId } };
  }
  return undefined;
}

async function manifestOf(repository: Repository, digest: string, imageId: string, platform: { architecture: string; variant: string }, depth: number): Promise<FetchedManifest | undefined> {
  try {
    const fetched = await repository.manifest(digest);
    if (fetched.document.kind === 'image') return fetched.document.config.digest === imageId ? fetched : undefined;
    const choice = choosePlatform(fetched.document.manifests, platform);
    return choice === undefined || depth >= INDEX_DEPTH_LIMIT ? undefined : await manifestOf(repository, choice.digest, imageId, platform, depth + 1);
  } catch (error) {
    // Removed there meanwhile, or nothing that has an image.
    if (error instanceof RegistryError && (error.status === 404 || error.code === 'MANIFEST_INVALID')) return undefined;
    throw error;
  }
}
