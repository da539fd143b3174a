import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';

import { OsbuildError } from '../model/index.ts';
import type { Blob, Descriptor } from '../registry/index.ts';
import { manifestType, openArchive } from './archive.ts';
import { descriptor, fileBlob } from './artifact.ts';

/** By these the engine knows a delta and finds it; they are its own (docs/delta-format.md). */
export const deltaArtifact = 'application/vnd.minke.delta.v1';
const label = 'dev.minke.delta';

const oci = 'application/vnd.oci.image';

/** A delta as it is put into a registry. */
export interface PackedDelta {
  blobs: Blob[];
  manifest: { mediaType: string; text: string };
  annotations: Record<string, string>;
  /** What a device loads: configuration and layer. */
  sizeBytes: number;
}

/** Tag by which engines find a delta in registries that have no list of referrers: sixteen digits of each image's id. */
export function deltaTag(baseId: string, targetId: string): string {
  const digits = (id: string): string => id.slice('sha256:'.length, 'sha256:'.length + 16);
  return `delta-${digits(baseId)}-${digits(targetId)}`;
}

/** What a delta says of itself where it is listed: from which image it leads to which. */
export function deltaAnnotations(baseId: string, targetId: string): Record<string, string> {
  return { [`${label}.base`]: baseId, [`${label}.target`]: targetId };
}

/** Compresses a delta's layer into `packed` and makes the manifest that refers to the target's. `file`: the delta as the engine saves it. */
export async function packDelta(file: string, packed: string, { base, target, subject }: { base: string; target: string; subject: Descriptor }): Promise<PackedDelta> {
  const { config, configText, layers } = await openArchive(file);
  const [layer] = layers;
  const labels = (JSON.parse(configText) as { config?: { Labels?: Record<string, string> } }).config?.Labels ?? {};
  const annotations = deltaAnnotations(base, target);
  if (layer === undefined || layers.length !== 1 || Object.entries(annotations).some(([name, value]) => labels[name] !== value)) throw new OsbuildError('OSB_COMMAND_FAILED', 'the engine made something else than a delta');
  await pipeline(layer.open(0), createGzip({ level: constants.Z_BEST_COMPRESSION }), createWriteStream(packed));
  const blob = await fileBlob(packed);
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    artifactType: deltaArtifact,
    config: descriptor(`${oci}.config.v1+json`, config),
    layers: [descriptor(`${oci}.layer.v1.tar+gzip`, blob)],
    subject: descriptor(subject.mediaType, subject),
    annotations,
  });
  return { blobs: [config, blob], manifest: { mediaType: manifestType, text }, annotations, sizeBytes: config.sizeBytes + blob.sizeBytes };
}
