import type { Files } from '../ports/index.ts';
import { STORE_FORMAT, writeDocument } from '../store/index.ts';
import { FOLDER_DIGITS } from './layer-store.ts';
import { LAYER_RECORD } from './layer-record.ts';

/** A layer whose files lie somewhere else already. */
export interface LentLayer {
  diffId: string;
  /** Of its uncompressed archive. */
  tarBytes: number;
  /** File with the record of its archive (tar-record.ts, gzip). */
  record: string;
}

/**
 * Lays out a folder as an engine's data root with one image, for `openOtherRoot`; it costs no room but for the records.
 * @returns for each layer the empty folder in which its files have to appear
 */
export async function lendImage(files: Files, dataRoot: string, image: { id: string; configText: string; layers: readonly LentLayer[] }): Promise<string[]> {
  files.mkdirs(`${dataRoot}/images`, 0o700);
  const folders: string[] = [];
  for (const { diffId, tarBytes, record } of image.layers) {
    const folder = `${dataRoot}/layers/${diffId.slice('sha256:'.length, 'sha256:'.length + FOLDER_DIGITS)}`;
    files.mkdirs(`${folder}/diff`, 0o700);
    files.symlink(record, `${folder}/${LAYER_RECORD}`);
    await writeDocument(files, `${folder}/layer.json`, { diffId, sizeBytes: tarBytes, tarBytes });
    folders.push(`${folder}/diff`);
  }
  await files.replaceFile(`${dataRoot}/images/${image.id.slice('sha256:'.length)}.json`, image.configText, 0o600);
  await writeDocument(files, `${dataRoot}/store.json`, { format: STORE_FORMAT });
  return folders;
}
