import { open } from 'node:fs/promises';

import { Decompress } from 'fzstd';

import { OsbuildError } from '../model/index.ts';

/** Bytes of an image from its beginning, uncompressed; can be read once. */
export type ImageBytes = AsyncIterable<Uint8Array>;

const chunkBytes = 1024 * 1024;

/**
 * Reads an image, .img.zst or .img. Decompressed here and not by a program: writing a disk mostly means being root, who has no
 * tools tree, and whose files must not come into a user's cache.
 */
export async function* openImage(path: string): ImageBytes {
  const file = await open(path, 'r').catch((cause: Error) => {
    throw new OsbuildError('OSB_USAGE', `cannot read the image ${path}`, { hint: cause.message, cause });
  });
  try {
    const chunks = file.createReadStream({ highWaterMark: chunkBytes, autoClose: false }) as AsyncIterable<Uint8Array>;
    yield* path.endsWith('.zst') ? decompress(chunks, path) : chunks;
  } finally {
    await file.close();
  }
}

async function* decompress(chunks: AsyncIterable<Uint8Array>, path: string): ImageBytes {
  let ready: Uint8Array[] = [];
  const decoder = new Decompress((bytes) => void ready.push(bytes));
  const push = (bytes: Uint8Array, last: boolean): Uint8Array[] => {
    try {
      decoder.push(bytes, last);
    } catch (cause) {
      throw new OsbuildError('OSB_HASH_MISMATCH', `${path} cannot be decompressed: ${(cause as Error).message}`, { hint: 'it was damaged on its way: take it again, or build it', cause });
    }
    const taken = ready;
    ready = [];
    return taken;
  };
  for await (const chunk of chunks) yield* push(chunk, false);
  yield* push(new Uint8Array(0), true);
}
