import { encode } from 'host:bytes';
import { sha256 } from 'host:crypto';
import { canonicalName, familiarName, familiarRepository, parseImageConfig, type ImageConfig } from '../images/index.ts';
import type { ImageSelection } from './selection.ts';

/** A file of the archive: bytes at hand, or a layer's archive. */
export type SavedFile = { path: string; mtimeSeconds: number } & ({ content: Uint8Array } | { diffId: string });

export interface SavePlan {
  files: SavedFile[];
  /** Every layer once. */
  diffIds: string[];
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

const OCI = 'application/vnd.oci.image';
const BLOBS = 'blobs/sha256';

/**
 * The archive as Docker has written it since 25: an OCI layout (index.json, blobs) with Docker's manifest.json and repositories beside it.
 * Layers are uncompressed, so that their digests are the diffIDs. The same images make the same bytes.
 */
export function planSave(selections: readonly ImageSelection[], configText: (id: string) => string, tarBytes: (diffId: string) => number): SavePlan {
  const blobs = new Map<string, SavedFile>();
  const manifests: (Descriptor & { annotations?: Record<string, string>; platform?: object })[] = [];
  const docker: object[] = [];
  const repositories: Record<string, Record<string, string>> = {};
  const diffIds = new Set<string>();
  const put = (mediaType: string, text: string, mtimeSeconds: number): Descriptor => {
    const content = encode(text);
    const path = `${BLOBS}/${sha256(content)}`;
    if (!blobs.has(path)) blobs.set(path, { path, content, mtimeSeconds });
    return { mediaType, digest: `sha256:${sha256(content)}`, size: content.length };
  };
  for (const { image, references } of selections) {
    const text = configText(image.id);
    const config = parseImageConfig(text);
    const created = createdSeconds(config);
    const layers = image.diffIds.map((diffId) => ({ mediaType: `${OCI}.layer.v1.tar`, size: tarBytes(diffId), digest: diffId }));
    for (const diffId of image.diffIds) {
      diffIds.add(diffId);
      if (!blobs.has(layerPath(diffId))) blobs.set(layerPath(diffId), { path: layerPath(diffId), diffId, mtimeSeconds: created });
    }
    const manifest = put(`${OCI}.manifest.v1+json`, JSON.stringify({
      schemaVersion: 2, mediaType: `${OCI}.manifest.v1+json`,
      config: put(`${OCI}.config.v1+json`, text, created),
      layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    }), created);
    const platform = { architecture: config.architecture, os: config.os, ...(config.variant === undefined ? {} : { variant: config.variant }) };
    const annotated = references.map((reference) => ({ 'io.containerd.image.name': canonicalName(reference), 'org.opencontainers.image.ref.name': reference.tag ?? '' }));
    manifests.push(...(annotated.length === 0 ? [{ ...manifest, platform }] : annotated.map((annotations) => ({ ...manifest, annotations, platform }))));
    docker.push({
      Config: `${BLOBS}/${image.id.slice('sha256:'.length)}`,
      RepoTags: references.length === 0 ? null : references.map(familiarName),
      Layers: image.diffIds.map(layerPath),
      LayerSources: Object.fromEntries(layers.map((layer) => [layer.digest, layer])),
    });
    const top = image.diffIds.at(-1)?.slice('sha256:'.length);
    for (const reference of references) {
      if (top !== undefined) (repositories[familiarRepository(reference)] ??= {})[reference.tag ?? ''] = top;
    }
  }
  const document = (path: string, value: unknown): SavedFile => ({ path, content: encode(JSON.stringify(value)), mtimeSeconds: 0 });
  return {
    diffIds: [...diffIds],
    files: [
      ...blobs.values(),
      document('index.json', { schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests }),
      document('manifest.json', docker),
      document('oci-layout', { imageLayoutVersion: '1.0.0' }),
      ...(Object.keys(repositories).length === 0 ? [] : [document('repositories', repositories)]),
    ],
  };
}

function layerPath(diffId: string): string {
  return `${BLOBS}/${diffId.slice('sha256:'.length)}`;
}

function createdSeconds({ created }: ImageConfig): number {
  const parsed = Date.parse(created ?? '');
  return Number.isNaN(parsed) ? 0 : Math.max(0, Math.floor(parsed / 1000));
}
