import { stat } from 'node:fs/promises';
import { writeUstar } from './ustar.ts';

/** Where the files of a slot's folder stand in an update's second layer. */
export const slotFilesFolder = 'boot/';

/** Packs files under the paths that are given, with their folders. The same files give the same bytes, in whatever order they are named. */
export async function packFiles(options: { files: ReadonlyArray<{ path: string; file: string }>; epoch: number; archive: string }): Promise<void> {
  const { epoch, archive } = options;
  const files = options.files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const folders = new Set(files.flatMap(({ path }) => [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index + 1))));
  const members = await Promise.all(files.map(async ({ path, file }) => ({ path, sizeBytes: (await stat(file)).size, mtime: epoch, content: { file } })));
  await writeUstar(archive, [...[...folders].toSorted().map((path) => ({ path, sizeBytes: 0, mtime: epoch })), ...members]);
}
