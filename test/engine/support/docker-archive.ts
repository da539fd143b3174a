import { createHash } from 'node:crypto';
import { tarFile, tarFolder, tarOf } from './tar-writer.ts';

export interface ArchivedLayer {
  /** Uncompressed archive. */
  tar: Buffer;
  /** As it stands in the archive. */
  blob?: Buffer;
}

export const sha256 = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex');

export function imageConfig(layers: readonly Buffer[], config: object = { Cmd: ['sh'] }): string {
  return JSON.stringify({
    architecture: 'amd64', os: 'linux', created: '2024-01-02T03:04:05Z', config,
    rootfs: { type: 'layers', diff_ids: layers.map((tar) => `sha256:${sha256(tar)}`) },
    history: layers.map(() => ({ created: '2024-01-02T03:04:05Z', created_by: 'test' })),
  });
}

/** As `docker save` wrote before 25: a folder for each layer, the manifest at the end. */
export function oldStyleArchive(name: string, layers: readonly ArchivedLayer[], config = imageConfig(layers.map(({ tar }) => tar))): Buffer {
  const ids = layers.map(({ tar }, index) => sha256(`${index}${sha256(tar)}`));
  const manifest = [{ Config: `${sha256(config)}.json`, RepoTags: [name], Layers: ids.map((id) => `${id}/layer.tar`) }];
  return tarOf([
    ...layers.flatMap(({ tar, blob }, index) => [tarFolder(ids[index] ?? ''), tarFile(`${ids[index] ?? ''}/VERSION`, '1.0'), tarFile(`${ids[index] ?? ''}/layer.tar`, blob ?? tar)]),
    tarFile(`${sha256(config)}.json`, config),
    tarFile('manifest.json', JSON.stringify(manifest)),
    tarFile('repositories', '{}'),
  ]);
}

/** An OCI layout as a tar. `extra` entries go in front. */
export function ociArchive(name: string, layers: readonly ArchivedLayer[], options: { config?: string; mediaType?: string } = {}): Buffer {
  const config = options.config ?? imageConfig(layers.map(({ tar }) => tar));
  const blobs = new Map<string, Buffer>();
  const put = (data: Buffer): { digest: string; size: number } => {
    blobs.set(sha256(data), data);
    return { digest: `sha256:${sha256(data)}`, size: data.length };
  };
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...put(Buffer.from(config)) },
    layers: layers.map(({ tar, blob }) => ({ mediaType: options.mediaType ?? 'application/vnd.oci.image.layer.v1.tar', ...put(blob ?? tar) })),
  });
  const top = put(Buffer.from(manifest));
  const index = { schemaVersion: 2, manifests: [{ mediaType: 'application/vnd.oci.image.manifest.v1+json', ...top, annotations: { 'io.containerd.image.name': name } }] };
  return tarOf([
    tarFolder('blobs'),
    tarFolder('blobs/sha256'),
    ...[...blobs].map(([digest, data]) => tarFile(`blobs/sha256/${digest}`, data)),
    tarFile('index.json', JSON.stringify(index)),
    tarFile('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
  ]);
}
