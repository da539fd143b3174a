import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeUstar } from './ustar.ts';

/** Where the files of a slot's folder stand in an update's second layer. */
export const slotFilesFolder = 'boot/';

/** Packs the files of a slot's folder of the boot partition for an update. The same files give the same bytes. */
export async function packSlotFiles(options: { folder: string; paths: readonly string[]; epoch: number; archive: string }): Promise<void> {
  const { folder, epoch, archive } = options;
  const paths = options.paths.toSorted();
  const folders = new Set([slotFilesFolder, ...paths.flatMap((path) => [...path.matchAll(/\//g)].map(({ index }) => `${slotFilesFolder}${path.slice(0, index + 1)}`))]);
  const files = await Promise.all(paths.map(async (path) => ({ path, file: join(folder, path), sizeBytes: (await stat(join(folder, path))).size })));
  await writeUstar(archive, [
    ...[...folders].toSorted().map((path) => ({ path, sizeBytes: 0, mtime: epoch })),
    ...files.map(({ path, file, sizeBytes }) => ({ path: `${slotFilesFolder}${path}`, sizeBytes, mtime: epoch, content: { file } })),
  ]);
}
