import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';

// Not in that folder's index: what changes there makes every image anew.
import { indexTar, type TarEntry } from '../image/tar-index.ts';
import { OsbuildError } from '../model/index.ts';
import type { Blob, Descriptor } from '../registry/index.ts';

/** An image in an archive (OCI image layout), whose parts are read where they stand. */
export interface ImageArchive {
  file: string;
  manifest: { mediaType: string; digest: string; text: string };
  configText: string;
  config: Blob;
  layers: (Blob & { mediaType: string })[];
}

interface ManifestDocument {
  mediaType?: string;
  config?: { digest?: string; size?: number };
  layers?: { mediaType?: string; digest?: string; size?: number }[];
  manifests?: { digest?: string }[];
}

const documentLimitBytes = 4 << 20;
export const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** @throws OSB_USAGE for what is no such archive, or has more images than one */
export async function openArchive(file: string): Promise<ImageArchive> {
  const invalid = (why: string, cause?: unknown): OsbuildError => new OsbuildError('OSB_USAGE', `${file} is no archive of an image: ${why}`, { hint: '`osbuild image` writes one beside the disk image (….os.tar)', cause });
  let entries: Map<string, TarEntry>;
  try {
    entries = indexTar(file);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw missing ? new OsbuildError('OSB_USAGE', `there is no file ${file}`, { hint: '`osbuild image` writes a release beside the disk image (….os.tar)', cause }) : invalid((cause as Error).message, cause);
  }
  const member = (path: string): TarEntry => {
    const found = entries.get(path);
    if (found?.type !== 'file') throw invalid(`it lacks ${path}`);
    return found;
  };
  const document = async (path: string): Promise<{ text: string; value: ManifestDocument }> => {
    const { offset, sizeBytes } = member(path);
    if (sizeBytes > documentLimitBytes) throw invalid(`${path} has ${sizeBytes} bytes`);
    const text = await readPart(file, offset, sizeBytes);
    try {
      return { text, value: JSON.parse(text) as ManifestDocument };
    } catch (cause) {
      throw invalid(`${path} is not JSON`, cause);
    }
  };
  const blob = (digest: string | undefined): Blob => {
    const { offset, sizeBytes } = member(blobPath(digest ?? ''));
    return { digest: digest ?? '', sizeBytes, open: (from) => (from === sizeBytes ? Readable.from([]) : createReadStream(file, { start: offset + from, end: offset + sizeBytes - 1 })) };
  };
  const index = await document('index.json');
  const digests = [...new Set((index.value.manifests ?? []).map(({ digest }) => digest ?? ''))];
  const [digest = ''] = digests;
  if (digests.length !== 1) throw invalid(`it has ${digests.length} images`);
  const { text, value } = await document(blobPath(digest));
  if (digestOf(text) !== digest) throw invalid(`${digest} is damaged`);
  const config = blob(value.config?.digest);
  const configText = (await document(blobPath(config.digest))).text;
  if (digestOf(configText) !== config.digest) throw invalid(`${config.digest} is damaged`);
  const layers = (value.layers ?? []).map(({ mediaType = '', digest: layer }) => ({ ...blob(layer), mediaType }));
  return { file, manifest: { mediaType: value.mediaType ?? manifestType, digest, text }, configText, config, layers };
}

/** Of a document, as registries name it. */
export const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

async function readPart(file: string, offset: number, sizeBytes: number): Promise<string> {
  const handle = await open(file);
  try {
    return (await handle.read(Buffer.alloc(sizeBytes), 0, sizeBytes, offset)).buffer.toString('utf8');
  } finally {
    await handle.close();
  }
}

/** Where a layout keeps a blob. */
export const blobPath = (digest: string): string => `blobs/${digest.replace(':', '/')}`;

/** What blobs are together. */
export const wholeBytes = (blobs: readonly { sizeBytes: number }[]): number => blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** Where a layout keeps its only image: what `index.json` has to say. */
export function layoutIndex({ mediaType, digest, sizeBytes }: Descriptor): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [{ mediaType, digest, size: sizeBytes }] });
}
