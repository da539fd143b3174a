import { concat } from 'host:bytes';
import type { KnownBlob, LayerStore, ManifestFormat } from '../images/index.ts';
import type { Cancellation, Clock } from '../ports/index.ts';
import { transferring, type PullMessage } from '../pull/index.ts';
import { findBlob, layerMediaType, mountBlob, RegistryError, uploadBlob, uploadBytes, type PushedBlob, type Repository, type UploadContent, type UploadOptions } from '../registry/index.ts';
import { compressedLayer } from './compressed-layer.ts';

export interface LayerPush {
  diffId: string;
  format: ManifestFormat;
  repository: Repository;
  /** 'domain' of the repository. */
  domain: string;
  layers: LayerStore;
  clock: Clock;
  cancellation: Cancellation;
  report(message: PullMessage): void;
}

/** Compressed layers up to here go in one request. */
const SMALL_BYTES = 1024 * 1024;
const REPORT_INTERVAL_MS = 100;
/** Asking takes time too. */
const CANDIDATES_LIMIT = 4;

/** Sees to it that the repository has a layer, and says as what: found there, taken over from another repository, or uploaded. */
export async function pushLayer(push: LayerPush): Promise<PushedBlob> {
  const { diffId, repository, layers, report } = push;
  const id = shortDiffId(diffId);
  const options = uploadOptions(push, id);
  const candidates = knownIn(push);
  for (const { digest, compression } of distinct(candidates)) {
    const sizeBytes = await findBlob(repository, digest);
    if (sizeBytes === undefined) continue;
    report({ status: 'Layer already exists', id, progressDetail: {} });
    const known = candidates.find((blob) => blob.digest === digest);
    return note(push, { digest, compression, sizeBytes: known?.sizeBytes ?? sizeBytes });
  }
  for (const { digest, compression, sizeBytes, repository: from } of candidates.filter((blob) => blob.repository !== repository.name)) {
    const path = from.slice(push.domain.length + 1);
    if (!(await mountBlob(repository, digest, path).catch((error: unknown) => refusedMount(error)))) continue;
    report({ status: `Mounted from ${path}`, id, progressDetail: {} });
    return note(push, { digest, compression, sizeBytes });
  }
  const tar = layers.tar(diffId);
  const content = compressedLayer(tar, progress(push, id, tar.sizeBytes));
  const small = await readSmall(content);
  const uploaded = small === undefined ? await uploadBlob(repository, content, options) : await uploadBytes(repository, small, options);
  report({ status: 'Pushed', id, progressDetail: {} });
  return note(push, { ...uploaded, compression: 'gzip' });
}

export function shortDiffId(diffId: string): string {
  return diffId.slice('sha256:'.length, 'sha256:'.length + 12);
}

/** Repositories of a registry (their paths) from which layers may be taken over. */
export function sourcesIn(domain: string, layers: LayerStore, diffIds: readonly string[]): string[] {
  const paths = diffIds.flatMap((diffId) => layers.blobs(diffId).filter(({ repository }) => isIn(domain, repository)).slice(0, CANDIDATES_LIMIT).map(({ repository }) => repository.slice(domain.length + 1)));
  return [...new Set(paths)];
}

/** Blobs that the registry may have: what the repository itself got comes first. */
function knownIn({ diffId, format, repository, domain, layers }: LayerPush): KnownBlob[] {
  const known = layers.blobs(diffId).filter((blob) => isIn(domain, blob.repository) && layerMediaType(format, blob.compression) !== undefined);
  const own = known.filter((blob) => blob.repository === repository.name);
  return [...own, ...known.filter((blob) => blob.repository !== repository.name)].slice(0, CANDIDATES_LIMIT);
}

function isIn(domain: string, repository: string): boolean {
  return repository.startsWith(`${domain}/`);
}

function distinct(blobs: readonly KnownBlob[]): KnownBlob[] {
  return blobs.filter(({ digest }, index) => blobs.findIndex((other) => other.digest === digest) === index);
}

/** A registry that does not let us read the other repository says so in one way or another; then the layer is uploaded. */
function refusedMount(error: unknown): false {
  if (error instanceof RegistryError && error.status >= 400 && error.status < 500 && error.status !== 429) return false;
  throw error;
}

async function note({ layers, diffId, repository }: LayerPush, blob: PushedBlob): Promise<PushedBlob> {
  await layers.noteBlob(diffId, { ...blob, repository: repository.name });
  return blob;
}

function uploadOptions({ clock, cancellation, report }: LayerPush, id: string): UploadOptions {
  return {
    clock, cancellation,
    retrying(delayMs) {
      if (delayMs >= 1000) report({ status: `Retrying in ${Math.round(delayMs / 1000)} second${delayMs < 1500 ? '' : 's'}`, id, progressDetail: {} });
    },
  };
}

function progress({ clock, report }: LayerPush, id: string, totalBytes: number): (sizeBytes: number) => void {
  let saidAt = Number.NEGATIVE_INFINITY;
  return (sizeBytes) => {
    const now = clock.monotonicMs();
    if (now - saidAt < REPORT_INTERVAL_MS && sizeBytes < totalBytes) return;
    saidAt = now;
    report(transferring('Pushing', id, sizeBytes, totalBytes));
  };
}

/** All of it when it is small. */
async function readSmall(content: UploadContent): Promise<Uint8Array | undefined> {
  const source = content.open();
  try {
    const parts: Uint8Array[] = [];
    for (let part = await source.read(); part !== null; part = await source.read()) {
      parts.push(part);
      if (source.sizeBytes > SMALL_BYTES) return undefined;
    }
    return concat(parts);
  } finally {
    source.close();
  }
}
