import { OsbuildError } from '../model/index.ts';
import { formatImageName } from './name.ts';
import type { Descriptor, Repository } from './repository.ts';

const indexType = 'application/vnd.oci.image.index.v1+json';
const attempts = 3;

/**
 * Lists a manifest with the one that it refers to, in the index that stands for the registry's own list where it has none (OCI distribution 1.1, referrers tag schema).
 * Two clients that do so at the same time may lose one of them, so it is looked at again.
 * @throws OSB_REGISTRY
 */
export async function addReferrer(repository: Repository, subject: string, referrer: Descriptor & { artifactType: string; annotations: Record<string, string> }): Promise<void> {
  const tag = subject.replace(':', '-');
  for (let attempt = 0; ; attempt += 1) {
    const entries = await listed(repository, tag);
    if (entries.some((entry) => (entry as { digest?: unknown } | null)?.digest === referrer.digest)) return;
    if (attempt === attempts) throw new OsbuildError('OSB_REGISTRY', `${formatImageName(repository.name)}: the registry does not keep ${tag}, the list of what refers to ${subject}`, { hint: 'another program may be changing it: run it again' });
    const { mediaType, digest, sizeBytes: size, artifactType, annotations } = referrer;
    // What other clients have written stays as it stands.
    await repository.putManifest(tag, { mediaType: indexType, text: JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: [...entries, { mediaType, digest, size, artifactType, annotations }] }) });
  }
}

async function listed(repository: Repository, tag: string): Promise<unknown[]> {
  const { manifests } = JSON.parse((await repository.manifest(tag))?.text ?? '{}') as { manifests?: unknown };
  return Array.isArray(manifests) ? manifests : [];
}
