import { parseImageConfig, type NamedPlatform, type Reference } from '../images/index.ts';
import type { Cancellation } from '../ports/index.ts';
import type { Credentials } from './credentials.ts';
import { fetchDocument } from './document.ts';
import { openRepository, type RegistryContext } from './repository.ts';

/** What a registry has under a name, without pulling it. */
export interface Distribution {
  /** Of the manifest or index. */
  digest: string;
  mediaType: string;
  sizeBytes: number;
  platforms: NamedPlatform[];
}

/** Throws RegistryError. */
export async function inspectDistribution(context: RegistryContext, reference: Reference, credentials: Credentials, cancellation: Cancellation): Promise<Distribution> {
  const repository = await openRepository(context, reference, credentials, cancellation);
  try {
    const { digest, mediaType, sizeBytes, document } = await repository.manifest(reference.digest ?? reference.tag ?? 'latest');
    if (document.kind === 'index') return { digest, mediaType, sizeBytes, platforms: document.manifests.flatMap(({ platform }) => platform ?? []) };
    const { os, architecture, variant } = parseImageConfig(await fetchDocument(repository, document.config, context.system.clock, cancellation));
    return { digest, mediaType, sizeBytes, platforms: [{ os, architecture, variant: variant ?? '' }] };
  } finally {
    repository.close();
  }
}
