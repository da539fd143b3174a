import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

import { sha256File } from '../cache/index.ts';
import { addReferrer, type Blob, type Descriptor, type Repository } from '../registry/index.ts';

/** What a registry lists an artifact by, beside the manifest that it refers to. */
export interface Listing {
  artifactType: string;
  annotations: Record<string, string>;
}

/** A file as a registry takes it. */
export async function fileBlob(path: string): Promise<Blob> {
  const { size: sizeBytes } = await stat(path);
  return { digest: `sha256:${await sha256File(path)}`, sizeBytes, open: (from) => createReadStream(path, { start: from }) };
}

/** How manifests name something. */
export const descriptor = (mediaType: string, { digest, sizeBytes }: Omit<Descriptor, 'mediaType'>): object => ({ mediaType, digest, size: sizeBytes });

/** Puts the manifest of an artifact there and sees to it that it is listed with its subject. Resolves with its digest. @throws OSB_REGISTRY */
export async function enter(repository: Repository, reference: string, { mediaType, text }: { mediaType: string; text: string }, subject: Descriptor, listing: Listing): Promise<string> {
  const { digest, sizeBytes, noted } = await repository.putManifest(reference, { mediaType, text });
  if (!noted) await addReferrer(repository, subject.digest, { mediaType, digest, sizeBytes, ...listing });
  return digest;
}
