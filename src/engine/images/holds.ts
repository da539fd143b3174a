import type { Files } from '../ports/index.ts';
import { readDocument, writeDocument } from '../store/index.ts';

/** Layers that stay although no image has them yet: those of a pull that has begun, so that the next one goes on from there. */
export interface Holds {
  layers(): Set<string>;
  put(key: string, diffIds: readonly string[], atMs: number): Promise<void>;
  /** Ends those for which `over` says so; at once, even when that cannot be written down for want of space: the next call does it. */
  end(over: (key: string, atMs: number) => boolean): Promise<void>;
}

interface HoldsDocument {
  holds: Record<string, { diffIds: string[]; atMs: number }>;
}

/** Not to be called twice at a time: the image store's queue sees to it. */
export function openHolds(files: Files, path: string): Holds {
  const { holds } = files.exists(path) ? readDocument<HoldsDocument>(files, path) : { holds: {} };
  let unsaved = false;
  const save = async (): Promise<void> => {
    unsaved = true;
    await writeDocument(files, path, { holds } satisfies HoldsDocument);
    unsaved = false;
  };
  return {
    layers: () => new Set(Object.values(holds).flatMap(({ diffIds }) => diffIds)),
    async put(key, diffIds, atMs) {
      holds[key] = { diffIds: [...diffIds], atMs };
      await save();
    },
    async end(over) {
      const gone = Object.entries(holds).filter(([key, { atMs }]) => over(key, atMs));
      if (gone.length === 0 && !unsaved) return;
      for (const [key] of gone) delete holds[key];
      await save();
    },
  };
}
