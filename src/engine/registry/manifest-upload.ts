import { encode, text } from 'host:bytes';
import { sha256 } from 'host:crypto';
import type { Compression } from '../archive/index.ts';
import type { ManifestFormat } from '../images/index.ts';
import { persistently, type UploadOptions } from './blob-upload.ts';
import type { Descriptor } from './manifest.ts';
import { errorFromAnswer } from './registry-error.ts';
import type { Repository } from './repository.ts';

export interface PushedBlob {
  digest: string;
  sizeBytes: number;
  compression: Compression;
}

const ERROR_LIMIT_BYTES = 64 * 1024;
const DOCKER = 'application/vnd.docker';
const OCI = 'application/vnd.oci.image';

/** Media type of a layer; undefined where the format has none for it. */
export function layerMediaType(format: ManifestFormat, compression: Compression): string | undefined {
  const suffixes = { none: '', gzip: format === 'docker' ? '.gzip' : '+gzip', zstd: format === 'docker' ? undefined : '+zstd' };
  const suffix = suffixes[compression];
  return suffix === undefined ? undefined : `${format === 'docker' ? `${DOCKER}.image.rootfs.diff.tar` : `${OCI}.layer.v1.tar`}${suffix}`;
}

/** What makes a manifest a referrer of another (OCI 1.1). */
export interface Referring {
  artifactType: string;
  subject: Pick<Descriptor, 'mediaType' | 'digest' | 'sizeBytes'>;
  annotations: Readonly<Record<string, string>>;
}

/** An image's manifest, byte by byte as Docker writes it. `referring`: for OCI's format alone. */
export function formatManifest(format: ManifestFormat, config: { digest: string; sizeBytes: number }, layers: readonly PushedBlob[], referring?: Referring): { mediaType: string; text: string } {
  const descriptor = (mediaType: string, { digest, sizeBytes: size }: Pick<Descriptor, 'digest' | 'sizeBytes'>): object => (format === 'docker' ? { mediaType, size, digest } : { mediaType, digest, size });
  const mediaType = format === 'docker' ? `${DOCKER}.distribution.manifest.v2+json` : `${OCI}.manifest.v1+json`;
  const document = {
    schemaVersion: 2,
    mediaType,
    ...(referring === undefined ? {} : { artifactType: referring.artifactType }),
    config: descriptor(format === 'docker' ? `${DOCKER}.container.image.v1+json` : `${OCI}.config.v1+json`, config),
    layers: layers.map((layer) => descriptor(layerMediaType(format, layer.compression) ?? '', layer)),
    ...(referring === undefined ? {} : { subject: descriptor(referring.subject.mediaType, referring.subject), annotations: referring.annotations }),
  };
  return { mediaType, text: JSON.stringify(document, null, 3) };
}

/** Puts a manifest under a tag; returns its digest, and of a referrer whether the registry has noted it as one. */
export async function putManifest(repository: Repository, tag: string, manifest: { mediaType: string; text: string }, options: UploadOptions): Promise<{ digest: string; sizeBytes: number; noted: boolean }> {
  const bytes = encode(manifest.text);
  const noted = await persistently(options, async () => {
    const reply = await repository.send(`/v2/${repository.path}/manifests/${tag}`, { method: 'PUT', headers: { 'Content-Type': manifest.mediaType }, body: () => bytes });
    const body = text(await reply.bytes(ERROR_LIMIT_BYTES).catch(() => new Uint8Array(0)));
    if (reply.status < 200 || reply.status > 299) throw errorFromAnswer(reply.status, body, reply.headers.get('retry-after'));
    return reply.headers.has('oci-subject');
  });
  return { digest: `sha256:${sha256(bytes)}`, sizeBytes: bytes.length, noted };
}
