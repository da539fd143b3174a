import { concat, text } from 'host:bytes';
import { parseImageConfig, type NamedPlatform, type Reference } from '../images/index.ts';
import type { Cancellation } from '../ports/index.ts';
import type { Credentials } from './credentials.ts';
import { openBlob } from './blob-source.ts';
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
    const source = openBlob(repository, document.config, { clock: context.system.clock, cancellation, progress: { received: () => undefined, retrying: () => undefined } });
    try {
      const parts: Uint8Array[] = [];
      for (let part = await source.read(); part !== null; part = await source.read()) parts.push(part);
      const { os, architecture, variant } = parseImageConfig(text(concat(parts)));
      return { digest, mediaType, sizeBytes, platforms: [{ os, architecture, variant: variant ?? '' }] };
    } finally {
      source.close();
    }
  } finally {
    repository.close();
  }
}
