import type { Files } from '../ports/index.ts';
import { readDocument, STORE_FORMAT } from '../store/index.ts';
import { openLayerContents, openLayerTar } from './layer-record.ts';
import { FOLDER_DIGITS, type LayerTar } from './layer-store.ts';

/** What another engine has below its data root. It is read and never written, and may change at any time. */
export interface OtherRoot {
  imageIds(): string[];
  /** Undefined when it has no such layer, or cannot make its archive again. */
  tar(diffId: string): LayerTar | undefined;
}

export const NO_OTHER_ROOT: OtherRoot = { imageIds: () => [], tar: () => undefined };

/** Nothing need be there yet. */
export function openOtherRoot(files: Files, dataRoot: string): OtherRoot {
  const isOurs = (): boolean => readDocument<{ format: unknown }>(files, `${dataRoot}/store.json`).format === STORE_FORMAT;
  return {
    imageIds() {
      try {
        if (!isOurs()) return [];
        return files.readdir(`${dataRoot}/images`).flatMap(({ name }) => /^([0-9a-f]{64})\.json$/.exec(name)?.[1] ?? []).map((digits) => `sha256:${digits}`);
      } catch {
        return [];
      }
    },
    tar(diffId) {
      const folder = `${dataRoot}/layers/${diffId.slice('sha256:'.length, 'sha256:'.length + FOLDER_DIGITS)}`;
      try {
        const document = readDocument<{ diffId: unknown; tarBytes?: unknown }>(files, `${folder}/layer.json`);
        if (!isOurs() || document.diffId !== diffId || typeof document.tarBytes !== 'number') return undefined;
        return { sizeBytes: document.tarBytes, open: () => openLayerTar(files, folder, diffId), contents: () => openLayerContents(files, folder) };
      } catch {
        return undefined;
      }
    },
  };
}
