import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ustarEnd, ustarHeader, ustarPadding } from './ustar.ts';

/** Where the files of a slot's folder stand in an update's second layer. */
export const slotFilesFolder = 'boot/';

/** Packs the files of a slot's folder of the boot partition for an update. The same files give the same bytes. */
export async function packSlotFiles(options: { folder: string; paths: readonly string[]; epoch: number; archive: string }): Promise<void> {
  const { folder, epoch, archive } = options;
  const paths = options.paths.toSorted();
  const folders = new Set([slotFilesFolder, ...paths.flatMap((path) => [...path.matchAll(/\//g)].map(({ index }) => `${slotFilesFolder}${path.slice(0, index + 1)}`))]);
  async function* parts(): AsyncGenerator<Buffer> {
    for (const path of [...folders].toSorted()) yield ustarHeader({ path, sizeBytes: 0, mtime: epoch });
    for (const path of paths) {
      const file = join(folder, path);
      const { size } = await stat(file);
      yield ustarHeader({ path: `${slotFilesFolder}${path}`, sizeBytes: size, mtime: epoch });
      for await (const chunk of createReadStream(file)) yield chunk as Buffer;
      yield ustarPadding(size);
    }
    yield ustarEnd;
  }
  await pipeline(Readable.from(parts()), createWriteStream(archive));
}
