import type { Compression } from '../archive/index.ts';
import type { Files } from '../ports/index.ts';
import { createQueue, readDocument, writeDocument } from '../store/index.ts';

/** A layer as a registry has it. */
export interface KnownBlob {
  digest: string;
  sizeBytes: number;
  compression: Compression;
  /** 'domain/path' */
  repository: string;
}

const NAME = 'blobs.json';
const LIMIT = 50;
const queue = createQueue();

/** What is lost or damaged costs an upload and nothing else. */
export function readKnownBlobs(files: Files, folder: string): KnownBlob[] {
  try {
    return readDocument<{ blobs: KnownBlob[] }>(files, `${folder}/${NAME}`).blobs;
  } catch {
    return [];
  }
}

export function noteKnownBlob(files: Files, folder: string, blob: KnownBlob): Promise<void> {
  return queue(async () => {
    const before = readKnownBlobs(files, folder);
    const [first] = before;
    if (first?.digest === blob.digest && first.repository === blob.repository) return;
    const others = before.filter(({ digest, repository }) => digest !== blob.digest || repository !== blob.repository);
    await writeDocument(files, `${folder}/${NAME}`, { blobs: [blob, ...others].slice(0, LIMIT) });
  });
}
