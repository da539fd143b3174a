import { createHash } from 'node:crypto';

import { ustarEnd, ustarHeader, ustarPadding } from '../image/index.ts';
import { ociPlatforms, type Arch } from '../model/index.ts';

const applets = ['cat', 'date', 'echo', 'env', 'hostname', 'httpd', 'id', 'ip', 'ls', 'mv', 'nslookup', 'ping', 'sh', 'sleep', 'sync', 'touch', 'true', 'uname', 'wget'];

/** A container image of busybox and what else is given, as `docker save` writes it. */
export function busyboxImage(program: Uint8Array, reference: string, arch: Arch, further: TarEntry[] = []): Buffer {
  const layer = tarArchive([
    { path: 'bin/', mode: 0o755 },
    { path: 'bin/busybox', mode: 0o755, content: program },
    ...applets.map((name) => ({ path: `bin/${name}`, mode: 0o777, link: 'busybox' })),
    { path: 'etc/', mode: 0o755 },
    { path: 'etc/passwd', mode: 0o644, content: Buffer.from('root:x:0:0:root:/:/bin/sh\n') },
    { path: 'etc/group', mode: 0o644, content: Buffer.from('root:x:0:\n') },
    { path: 'tmp/', mode: 0o1777 },
    ...further,
  ]);
  return imageArchive(layer, reference, arch, { Env: ['PATH=/bin'], Cmd: ['sh'], WorkingDir: '/' });
}

/** An image with labels and nothing else. */
export function labelledImage(reference: string, arch: Arch, labels: Record<string, string>): Buffer {
  return imageArchive(tarArchive([{ path: 'etc/', mode: 0o755 }]), reference, arch, { Labels: labels });
}

function imageArchive(layer: Buffer, reference: string, arch: Arch, settings: Record<string, unknown>): Buffer {
  const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  const config = Buffer.from(
    JSON.stringify({
      ...ociPlatforms[arch],
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      config: settings,
      rootfs: { type: 'layers', diff_ids: [`sha256:${digest(layer)}`] },
      history: [{ created: '1970-01-01T00:00:00Z', created_by: 'osbuild' }],
    }),
  );
  const configName = `${digest(config)}.json`;
  const layerName = `${digest(layer)}/layer.tar`;
  return tarArchive([
    { path: configName, mode: 0o644, content: config },
    { path: `${digest(layer)}/`, mode: 0o755 },
    { path: layerName, mode: 0o644, content: layer },
    { path: 'manifest.json', mode: 0o644, content: Buffer.from(JSON.stringify([{ Config: configName, RepoTags: [reference], Layers: [layerName] }])) },
  ]);
}

export interface TarEntry {
  /** A trailing / makes a folder. */
  path: string;
  mode: number;
  content?: Uint8Array;
  /** Target of a symbolic link. */
  link?: string;
}

/** An archive, everything of root at the epoch. */
export function tarArchive(entries: TarEntry[]): Buffer {
  const parts = entries.flatMap(({ content = new Uint8Array(), ...entry }) => [ustarHeader({ ...entry, sizeBytes: content.length, mtime: 0 }), content, ustarPadding(content.length)]);
  return Buffer.concat([...parts, ustarEnd]);
}
