import { createReadStream, createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import type { BlobStore, CacheLayout } from '../cache/index.ts';
import { ustarEnd, ustarHeader, ustarPadding } from '../image/index.ts';
import type { Descriptor, Manifest, Repository } from '../registry/index.ts';
import { layoutIndex } from './archive.ts';

/** Writes an image of a registry to an archive. What is loaded stays in the store, so that the next time it is there. */
export async function fetchArchive(repository: Repository, manifest: Manifest, store: { blobs: BlobStore; layout: CacheLayout }, file: string, progress: (doneBytes: number, totalBytes: number) => void): Promise<void> {
  const wanted = [...new Map([...(manifest.config === null ? [] : [manifest.config]), ...manifest.layers].map((blob) => [blob.digest, blob])).values()];
  const totalBytes = wanted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  const received = (bytes: number): void => progress((doneBytes += bytes), totalBytes);
  const paths = new Map<string, string>();
  for (const blob of wanted) paths.set(blob.digest, await stored(repository, blob, store, received));
  async function* parts(): AsyncGenerator<Buffer> {
    const texts: [string, string][] = [['oci-layout', '{"imageLayoutVersion":"1.0.0"}'], ['index.json', layoutIndex(manifest)], [blobPath(manifest.digest), manifest.text]];
    for (const [path, text] of texts) yield* member(path, Buffer.byteLength(text), [Buffer.from(text)]);
    for (const { digest, sizeBytes } of wanted) yield* member(blobPath(digest), sizeBytes, createReadStream(paths.get(digest) ?? ''));
    yield ustarEnd;
  }
  await pipeline(Readable.from(parts()), createWriteStream(file));
}

async function* member(path: string, sizeBytes: number, content: Iterable<Buffer> | AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield ustarHeader({ path, sizeBytes, mtime: 0 });
  yield* content;
  yield ustarPadding(sizeBytes);
}

const blobPath = (digest: string): string => `blobs/${digest.replace(':', '/')}`;

async function stored(repository: Repository, blob: Descriptor, { blobs, layout }: { blobs: BlobStore; layout: CacheLayout }, received: (bytes: number) => void): Promise<string> {
  const sha256 = blob.digest.slice('sha256:'.length);
  if ((await blobs.size(sha256)) === blob.sizeBytes && (await blobs.verify(sha256))) received(blob.sizeBytes);
  else {
    const partial = layout.partial(sha256);
    await repository.load(blob, partial, received);
    await blobs.take(partial, sha256);
  }
  return blobs.path(sha256);
}
