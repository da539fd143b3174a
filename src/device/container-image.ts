import { createHash } from 'node:crypto';

import type { Arch } from '../model/index.ts';

/** GOARCH words of the image specification. */
const platforms: Record<Arch, { architecture: string; variant?: string }> = {
  armv5e: { architecture: 'arm', variant: 'v5' },
  armv6l: { architecture: 'arm', variant: 'v6' },
  armv7hf: { architecture: 'arm', variant: 'v7' },
  aarch64: { architecture: 'arm64' },
  i386: { architecture: '386' },
  amd64: { architecture: 'amd64' },
};

const applets = ['cat', 'date', 'echo', 'env', 'hostname', 'httpd', 'id', 'ip', 'ls', 'mv', 'nslookup', 'ping', 'sh', 'sleep', 'sync', 'touch', 'true', 'uname', 'wget'];

/** A container image of busybox alone, as `docker save` writes it. */
export function busyboxImage(program: Uint8Array, reference: string, arch: Arch): Buffer {
  const layer = tarArchive([
    { path: 'bin/', mode: 0o755 },
    { path: 'bin/busybox', mode: 0o755, content: program },
    ...applets.map((name) => ({ path: `bin/${name}`, mode: 0o777, link: 'busybox' })),
    { path: 'etc/', mode: 0o755 },
    { path: 'etc/passwd', mode: 0o644, content: Buffer.from('root:x:0:0:root:/:/bin/sh\n') },
    { path: 'etc/group', mode: 0o644, content: Buffer.from('root:x:0:\n') },
    { path: 'tmp/', mode: 0o1777 },
  ]);
  const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  const config = Buffer.from(
    JSON.stringify({
      ...platforms[arch],
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      config: { Env: ['PATH=/bin'], Cmd: ['sh'], WorkingDir: '/' },
      rootfs: { type: 'layers', diff_ids: [`sha256:${digest(layer)}`] },
      history: [{ created: '1970-01-01T00:00:00Z', created_by: 'busybox' }],
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

/** A ustar archive, everything of root:root at the epoch. */
export function tarArchive(entries: TarEntry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = entry.content ?? new Uint8Array();
    return [tarHeader(entry, content.length), content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

function tarHeader(entry: TarEntry, sizeBytes: number): Buffer {
  if (Buffer.byteLength(entry.path) > 100) throw new Error(`too long for a tar name: ${entry.path}`);
  const header = Buffer.alloc(512);
  const octal = (value: number, at: number, width: number): void => void header.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at);
  header.write(entry.path, 0);
  octal(entry.mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(sizeBytes, 124, 12);
  octal(0, 136, 12);
  header.fill(' ', 148, 156);
  header.write(entry.link !== undefined ? '2' : entry.path.endsWith('/') ? '5' : '0', 156);
  header.write(entry.link ?? '', 157);
  header.write('ustar\u000000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
