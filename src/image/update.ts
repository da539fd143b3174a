import { createHash, sign } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepContext } from '../model/index.ts';
import { releaseConfig, type Release } from './release.ts';
import { slotArguments } from './slot.ts';
import { writeUstar } from './ustar.ts';
import { readVerity } from './verity.ts';

type Context = StepContext<'image/update'>;
type Layer = 'root' | 'boot';

interface Blob {
  digest: string;
  sizeBytes: number;
  content: Buffer | { file: string };
}

const oci = 'application/vnd.oci.image';

/** Makes the OS image: an archive (OCI image layout) that `minke os update` takes as a file, and that any registry takes as an image. */
export async function buildUpdate(context: Context): Promise<void> {
  const { args, epoch } = context;
  const { machine, os, mode, commandLine, loader, arch, reference, compression, unified } = args;
  const root = context.input('slot');
  const release: Release = {
    format: unified === undefined ? 1 : 2,
    machine,
    os,
    mode,
    commandLine,
    loader,
    slot: { argv: slotArguments(compression, epoch), sha256: context.digest('slot'), sizeBytes: (await stat(root)).size, verity: await readVerity(context.input('verity')) },
    ...(unified === undefined ? {} : { unified }),
    layers: { root: context.digest('root'), boot: context.digest('boot') },
  };
  const keys = await Promise.all(args.signers.map(({ file }) => readFile(file, 'utf8')));
  const config = blobOf(Buffer.from(releaseConfig(release, arch, epoch, (text) => keys.map((key) => sign('sha256', Buffer.from(text), key).toString('base64')))));
  await writeFile(context.output('config.json'), config.content as Buffer);
  const layers = [await packLayer(context, 'root'), await packLayer(context, 'boot')];
  const manifest = blobOf(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: `${oci}.manifest.v1+json`,
        config: descriptor(`${oci}.config.v1+json`, config),
        layers: layers.map((layer) => descriptor(`${oci}.layer.v1.tar+zstd`, layer)),
      }),
    ),
  );
  const [, tag = ''] = reference.split(':');
  const annotations = { 'io.containerd.image.name': reference, 'org.opencontainers.image.ref.name': tag };
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: `${oci}.index.v1+json`, manifests: [{ ...descriptor(`${oci}.manifest.v1+json`, manifest), annotations }] }));
  const layout = Buffer.from('{"imageLayoutVersion":"1.0.0"}');
  const files: Array<[string, Blob]> = [['oci-layout', blobOf(layout)], ['index.json', blobOf(index)], ...[manifest, config, ...layers].map((blob): [string, Blob] => [`blobs/sha256/${blob.digest}`, blob])];
  await writeUstar(context.output('os.tar'), [
    ...['blobs/', 'blobs/sha256/'].map((path) => ({ path, sizeBytes: 0, mtime: epoch })),
    ...files.map(([path, { sizeBytes, content }]) => ({ path, sizeBytes, mtime: epoch, content })),
  ]);
}

/** Level 3: what a device loads in full, it loads seldom; every build waits for it. */
async function packLayer(context: Context, layer: Layer): Promise<Blob> {
  const name = `${layer}.tar.zst`;
  await context.tool({ argv: ['zstd', '-q', '-3', '-T0', `/in/${layer}`, '-o', `/scratch/${name}`], mounts: { '/scratch': { path: context.scratch, rw: true } } });
  const file = join(context.scratch, name);
  return { digest: await context.sha256(file), sizeBytes: (await stat(file)).size, content: { file } };
}

const blobOf = (content: Buffer): Blob => ({ digest: createHash('sha256').update(content).digest('hex'), sizeBytes: content.length, content });
const descriptor = (mediaType: string, { digest, sizeBytes }: Blob): object => ({ mediaType, digest: `sha256:${digest}`, size: sizeBytes });
