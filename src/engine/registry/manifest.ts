import { RegistryError } from './registry-error.ts';
import type { ManifestFormat, NamedPlatform } from '../images/index.ts';

/** A blob or manifest by its hash. */
export interface Descriptor {
  mediaType: string;
  /** 'sha256:…' */
  digest: string;
  sizeBytes: number;
  platform?: NamedPlatform;
}

/** Docker's schema 2 or an OCI manifest. */
export interface ImageManifest {
  kind: 'image';
  format: ManifestFormat;
  config: Descriptor;
  /** Lowest first. */
  layers: Descriptor[];
}

/** Docker's manifest list or an OCI index. */
export interface ManifestIndex {
  kind: 'index';
  manifests: Descriptor[];
}

export type ManifestDocument = ImageManifest | ManifestIndex;

const DOCKER = 'application/vnd.docker.distribution.manifest';
const OCI = 'application/vnd.oci.image';
export const MANIFEST_TYPES: readonly string[] = [`${OCI}.index.v1+json`, `${DOCKER}.list.v2+json`, `${OCI}.manifest.v1+json`, `${DOCKER}.v2+json`];
const LAYER_LIMIT = 125;
const SIZE_LIMIT_BYTES = 2 ** 50;

/** Throws RegistryError for what is no manifest that has an image in it. */
export function parseManifest(text: string): ManifestDocument {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('it is not JSON');
  }
  if (!isRecord(value)) throw invalid('it is not an object');
  if (value['schemaVersion'] === 1) {
    throw new RegistryError('MANIFEST_INVALID', 'this image is in the format "schema 1" of 2015, which is not supported; push it again with a current client');
  }
  if (Array.isArray(value['manifests'])) return { kind: 'index', manifests: value['manifests'].map(readDescriptor) };
  const { config, layers } = value;
  if (!isRecord(config) || !Array.isArray(layers)) throw invalid('it has neither layers nor manifests');
  if (layers.length > LAYER_LIMIT) throw invalid(`it has ${layers.length} layers; overlay takes ${LAYER_LIMIT}`);
  const manifest: ImageManifest = { kind: 'image', format: `${String(config['mediaType'])}`.startsWith(`${OCI}.`) ? 'oci' : 'docker', config: readDescriptor(config), layers: layers.map(readDescriptor) };
  const odd = [manifest.config, ...manifest.layers].find(({ mediaType }) => !isImagePart(mediaType));
  if (odd !== undefined) throw new RegistryError('MANIFEST_INVALID', `unsupported media type ${odd.mediaType}: this is an artifact and no image`);
  return manifest;
}

/** Known kinds of configurations and layers. Encrypted and foreign ones cannot be read. */
function isImagePart(mediaType: string): boolean {
  return (
    mediaType === '' ||
    mediaType === 'application/octet-stream' ||
    /^application\/vnd\.oci\.image\.(?:config\.v1\+json|layer\.(?:nondistributable\.)?v1\.tar(?:\+gzip|\+zstd)?)$/.test(mediaType) ||
    /^application\/vnd\.docker\.(?:container\.image\.v1\+json|image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.gzip|\.zstd)?)$/.test(mediaType)
  );
}

/** Throws RegistryError 'MANIFEST_INVALID'. */
export function readDescriptor(value: unknown): Descriptor {
  if (!isRecord(value)) throw invalid('a descriptor is not an object');
  const { mediaType, digest, size, platform } = value;
  if (typeof digest !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(digest)) throw invalid(`${JSON.stringify(digest)} is not a SHA-256 digest`);
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > SIZE_LIMIT_BYTES) throw invalid(`${digest} has no size`);
  return { mediaType: typeof mediaType === 'string' ? mediaType : '', digest, sizeBytes: size, ...(isRecord(platform) ? { platform: readPlatform(platform) } : {}) };
}

function readPlatform(value: Record<string, unknown>): NamedPlatform {
  const { architecture, os, variant } = value;
  return {
    ...(typeof architecture === 'string' ? { architecture } : {}),
    ...(typeof os === 'string' ? { os } : {}),
    ...(typeof variant === 'string' ? { variant } : {}),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(why: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `the registry's manifest is not valid: ${why}`);
}
