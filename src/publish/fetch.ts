import type { BlobStore, CacheLayout } from '../cache/index.ts';
// Not in that folder's index: what changes there makes every image anew.
import { writeUstar } from '../image/ustar.ts';
import type { Descriptor, Manifest, Repository } from '../registry/index.ts';
import { blobPath, layoutIndex, wholeBytes } from './archive.ts';

/** Writes an image of a registry to an archive. What is loaded stays in the store, so that the next time it is there. */
export async function fetchArchive(repository: Repository, manifest: Manifest, store: { blobs: BlobStore; layout: CacheLayout }, file: string, progress: (doneBytes: number, totalBytes: number) => void): Promise<void> {
  const wanted = [...new Map([...(manifest.config === null ? [] : [manifest.config]), ...manifest.layers].map((blob) => [blob.digest, blob])).values()];
  const totalBytes = wholeBytes(wanted);
  let doneBytes = 0;
  const received = (bytes: number): void => progress((doneBytes += bytes), totalBytes);
  const paths = new Map<string, string>();
  for (const blob of wanted) paths.set(blob.digest, await stored(repository, blob, store, received));
  const texts: [string, string][] = [['oci-layout', '{"imageLayoutVersion":"1.0.0"}'], ['index.json', layoutIndex(manifest)], [blobPath(manifest.digest), manifest.text]];
  await writeUstar(file, [
    ...texts.map(([path, text]) => ({ path, sizeBytes: Buffer.byteLength(text), mtime: 0, content: Buffer.from(text) })),
    ...wanted.map(({ digest, sizeBytes }) => ({ path: blobPath(digest), sizeBytes, mtime: 0, content: { file: paths.get(digest) ?? '' } })),
  ]);
}

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
