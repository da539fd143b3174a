import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { signaturesLabel, releaseLabel, ustarEnd, ustarHeader, ustarPadding } from '../image/index.ts';
import { eventually } from './board.ts';
import { connectQmp } from './qmp.ts';
import type { ToolsTree } from './tools-tree.ts';

/** What somebody plugs into a board: a disk image, and how QEMU's control socket is reached. */
export interface Stick {
  /** Version of the release on it. */
  version: string;
  /** PEM: what a device has to trust to take it. */
  publicKey: string;
  plugIn(): Promise<void>;
  pullOut(): Promise<void>;
}

export interface StickOptions {
  /** A release, as `osbuild image` writes it (.os.tar). */
  release: string;
  machineName: string;
  /** Folder that QEMU knows as /disk. */
  folder: string;
  /** QEMU's control socket, on the host. */
  socket: string;
  tree: ToolsTree;
  signal: AbortSignal;
}

/** Makes a stick as docs/updates.md asks for it, with the release under a newer version and signed by a key made for it. */
export async function makeStick({ release, machineName, folder, socket, tree, signal }: StickOptions): Promise<Stick> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 3072 });
  const newer = join(folder, 'newer.os.tar');
  const version = await relabel(release, newer, (text) => sign('sha256', Buffer.from(text), privateKey).toString('base64'));
  const sectors = Math.ceil(((await stat(newer)).size + 32 * 2 ** 20) / 512 / 63 / 255) * 63 * 255;
  const mounts = { '/disk': { path: folder, rw: true } };
  const name = 'make-stick';
  await tree.run({ name, mounts, argv: ['mformat', '-C', '-i', '/disk/stick.img', '-T', String(sectors), '-h', '255', '-s', '63', '-v', 'MINKEUPDATE', '::'] });
  await tree.run({ name, mounts, argv: ['mmd', '-i', '/disk/stick.img', '::minke'] });
  await tree.run({ name, mounts, argv: ['mcopy', '-i', '/disk/stick.img', '/disk/newer.os.tar', `::minke/minke-${machineName}-${version}.os.tar`] });
  await rm(newer);
  const talk = async (...commands: [command: string, words: Record<string, unknown>][]): Promise<void> => {
    const qmp = await connectQmp(socket);
    try {
      for (const [command, words] of commands) await qmp.execute(command, words);
    } finally {
      qmp.close();
    }
  };
  return {
    version,
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    plugIn: () =>
      talk(
        ['blockdev-add', { driver: 'raw', 'node-name': 'stick', 'read-only': true, file: { driver: 'file', filename: '/disk/stick.img', 'read-only': true } }],
        ['device_add', { driver: 'usb-storage', id: 'stick-device', drive: 'stick', removable: true }],
      ),
    pullOut: async () => {
      await talk(['device_del', { id: 'stick-device' }]);
      // QEMU lets go of the disk some time after it has taken the device away.
      await eventually(30_000, signal, () => talk(['blockdev-del', { 'node-name': 'stick' }]));
    },
  };
}

interface Member {
  path: string;
  at: number;
  sizeBytes: number;
}

/** Copies a release with another version in its description, and with one signature; returns that version. The layers stay as they are. */
async function relabel(from: string, to: string, signature: (text: string) => string): Promise<string> {
  const members = await listMembers(from);
  const read = async (path: string): Promise<Buffer> => {
    const member = members.find((one) => one.path === path);
    if (member === undefined) throw new Error(`${from} has no ${path}`);
    const file = await open(from, 'r');
    try {
      return (await file.read(Buffer.alloc(member.sizeBytes), 0, member.sizeBytes, member.at)).buffer;
    } finally {
      await file.close();
    }
  };
  const json = async <T>(path: string): Promise<T> => JSON.parse((await read(path)).toString('utf8')) as T;
  const blob = (digest: string): string => `blobs/${digest.replace(':', '/')}`;
  const changed = new Map<string, { path: string; content: Buffer }>();
  /** The document under the name that its new content has; `present` is what refers to it. */
  const change = (present: { digest: string; size: number }, document: unknown): void => {
    const content = Buffer.from(JSON.stringify(document));
    const before = blob(present.digest);
    Object.assign(present, { digest: `sha256:${createHash('sha256').update(content).digest('hex')}`, size: content.length });
    changed.set(before, { path: blob(present.digest), content });
  };
  interface Descriptor { digest: string; size: number }
  const index = await json<{ manifests: [Descriptor] }>('index.json');
  const manifest = await json<{ config: Descriptor }>(blob(index.manifests[0].digest));
  const config = await json<{ config: { Labels: Record<string, string> } }>(blob(manifest.config.digest));
  const release = JSON.parse(config.config.Labels[releaseLabel] ?? '') as { os: { version: string } };
  release.os.version += '.1';
  const text = JSON.stringify(release);
  Object.assign(config.config.Labels, { [releaseLabel]: text, [signaturesLabel]: JSON.stringify([signature(text)]) });
  change(manifest.config, config);
  change(index.manifests[0], manifest);
  changed.set('index.json', { path: 'index.json', content: Buffer.from(JSON.stringify(index)) });
  async function* parts(): AsyncGenerator<Buffer> {
    for (const { path, at, sizeBytes } of members) {
      const other = changed.get(path);
      yield ustarHeader({ path: other?.path ?? path, sizeBytes: other?.content.length ?? sizeBytes, mtime: 0 });
      if (other !== undefined) yield other.content;
      else if (sizeBytes > 0) yield* createReadStream(from, { start: at, end: at + sizeBytes - 1 });
      yield ustarPadding(other?.content.length ?? sizeBytes);
    }
    yield ustarEnd;
  }
  await pipeline(Readable.from(parts()), createWriteStream(to));
  return release.os.version;
}

/** Of an archive as osbuild writes it: plain ustar. */
async function listMembers(archive: string): Promise<Member[]> {
  const file = await open(archive, 'r');
  try {
    const members: Member[] = [];
    for (let at = 0; ; ) {
      const header = (await file.read(Buffer.alloc(512), 0, 512, at)).buffer;
      const path = header.toString('latin1', 0, 100).replace(/\0.*$/, '');
      if (path === '') return members;
      const sizeBytes = Number.parseInt(header.toString('latin1', 124, 136), 8);
      members.push({ path, at: at + 512, sizeBytes });
      at += 512 + Math.ceil(sizeBytes / 512) * 512;
    }
  } finally {
    await file.close();
  }
}
