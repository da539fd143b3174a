import type { Image, ImageStore } from '../images/index.ts';
import type { Files } from '../ports/index.ts';
import { createQueue, readDocument, writeDocument, type OnDamage } from '../store/index.ts';

/** Which image each step of a build made of which: the build cache, and what `parent` means. */
export interface StepsStore {
  /** '' when it was not built here, or of nothing. */
  parentOf(imageId: string): string;
  /** The image that this very step made before; undefined when there is none any more. */
  find(key: string): Image | undefined;
  put(imageId: string, parent: string, key: string): Promise<void>;
  /** A build ended with it: it is no longer only a step. */
  finish(imageId: string): Promise<void>;
  /** Made by a step, without a name, and not the end of any build. */
  isStep(image: Image): boolean;
  /** The image itself and what it was made of, step by step. */
  lineage(imageId: string): string[];
  /** Images made of this one. */
  children(imageId: string): string[];
  /** Drops what is said of images that are gone. */
  tidy(): Promise<void>;
}

interface Step {
  parent: string;
  key: string;
  end: boolean;
}

interface StepsDocument {
  steps: Record<string, Step>;
}

export function openStepsStore(files: Files, folder: string, images: ImageStore, onDamage: OnDamage): StepsStore {
  const path = `${folder}/steps.json`;
  files.mkdirs(folder, 0o700);
  const steps = new Map<string, Step>(Object.entries(readSteps(files, path, onDamage)));
  const byKey = new Map<string, Set<string>>();
  const index = (id: string, { key }: Step): void => {
    const ids = byKey.get(key);
    if (ids === undefined) byKey.set(key, new Set([id]));
    else ids.add(id);
  };
  for (const [id, step] of steps) index(id, step);
  const queue = createQueue();
  const save = (): Promise<void> => queue(() => writeDocument(files, path, { steps: Object.fromEntries(steps) } satisfies StepsDocument));

  return {
    parentOf: (id) => steps.get(id)?.parent ?? '',
    find(key) {
      for (const id of [...(byKey.get(key) ?? [])].toReversed()) {
        const image = images.get(id);
        if (image !== undefined) return image;
      }
      return undefined;
    },
    async put(id, parent, key) {
      const step = { parent, key, end: steps.get(id)?.end ?? false };
      steps.set(id, step);
      index(id, step);
      await save();
    },
    async finish(id) {
      const step = steps.get(id);
      if (step === undefined || step.end) return;
      step.end = true;
      await save();
    },
    isStep: ({ id, names }) => names.length === 0 && steps.get(id)?.end === false,
    lineage(id) {
      const ids: string[] = [];
      for (let at = id; at !== '' && !ids.includes(at); at = steps.get(at)?.parent ?? '') ids.push(at);
      return ids;
    },
    children: (id) => [...steps].filter(([child, { parent }]) => parent === id && images.get(child) !== undefined).map(([child]) => child),
    async tidy() {
      const gone = [...steps].filter(([id]) => images.get(id) === undefined);
      for (const [id, { key }] of gone) {
        steps.delete(id);
        byKey.get(key)?.delete(id);
      }
      if (gone.length > 0) await save();
    },
  };
}

function readSteps(files: Files, path: string, onDamage: OnDamage): Record<string, Step> {
  if (!files.exists(path)) return {};
  try {
    return readDocument<StepsDocument>(files, path).steps;
  } catch (error) {
    // A cache: builds make it anew.
    onDamage(path, error);
    files.unlink(path);
    return {};
  }
}
