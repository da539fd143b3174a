import { messageOf } from '../error.ts';
import { sleep, type Cancellation, type System } from '../ports/index.ts';
import type { Paths } from '../store/index.ts';
import type { ImageStore } from './image-store.ts';
import type { LayerStore } from './layer-store.ts';

export interface StoreFault {
  /** A path, a diffID, an image's id or its name. */
  subject: string;
  problem: string;
  /** What was done about it, or what is to be done. */
  remedy: string;
  repaired: boolean;
}

export interface StoreCheck {
  layers: number;
  images: number;
  /** Of the layers' archives that were made again and compared with their hashes. */
  readBytes: number;
  faults: StoreFault[];
}

export interface StoreCheckOptions {
  system: Pick<System, 'files' | 'clock'>;
  paths: Paths;
  images: ImageStore;
  layers: LayerStore;
  /** Layers that containers stand on. */
  used(): ReadonlySet<string>;
  /** Whether files are read and compared with the hashes of their layers. */
  contents: boolean;
  repair: boolean;
  report(step: string): void;
  cancellation: Cancellation;
}

/** After so much reading others get a turn. */
const TURN_BYTES = 4 * 1024 * 1024;

/** Compares everything that the store has with what it says of it. What is repaired is gone then: images have to be pulled or loaded again. */
export async function checkStore(options: StoreCheckOptions): Promise<StoreCheck> {
  const { system: { files }, paths, images, layers, repair, report, cancellation } = options;
  const check: StoreCheck = { layers: layers.all().length, images: images.all().length, readBytes: 0, faults: [] };
  const found = async (subject: string, problem: string, remedy: string, mend?: () => Promise<unknown>): Promise<void> => {
    if (repair && mend !== undefined) await mend();
    check.faults.push({ subject, problem, remedy, repaired: repair && mend !== undefined });
  };

  const folders = new Set(layers.all().map(({ folder }) => folder));
  for (const { name } of files.readdir(paths.layers)) {
    // Those that came meanwhile are no strangers.
    if (folders.has(name) || layers.all().some(({ folder }) => folder === name)) continue;
    await found(`${paths.layers}/${name}`, 'is no layer that the engine knows', 'it is removed', () => files.removeTree(`${paths.layers}/${name}`));
  }
  for (const { id, lacks, names } of images.broken()) {
    await found(names[0] ?? id, `lacks ${lacks.length === 1 ? 'a layer' : `${lacks.length} layers`}`, 'the image is removed; pull or load it again', () => images.remove(id));
  }
  for (const name of images.lostNames()) await found(name, 'names an image that is not there', 'the name is removed; pull or load the image again', () => images.unname(name));

  for (const { diffId, tarBytes } of layers.all()) {
    if (cancellation.cancelled || layers.get(diffId) === undefined) continue;
    report(`Checking layer ${diffId.slice('sha256:'.length, 'sha256:'.length + 12)}`);
    // An older engine kept nothing to compare it with.
    const problem = tarBytes === undefined || !options.contents ? missingFolder(options, diffId) : await compare(options, diffId, check);
    if (problem === undefined) continue;
    const owners = images.all().filter(({ diffIds }) => diffIds.includes(diffId));
    const whose = owners.map(({ id, names }) => names[0] ?? id).join(', ');
    const subject = `layer ${diffId}${whose === '' ? '' : ` of ${whose}`}`;
    if (options.used().has(diffId)) await found(subject, problem, 'a container stands on it: remove that, and check again');
    else {
      await found(subject, problem, 'its images are removed; pull or load them again', async () => {
        for (const { id } of owners) await images.remove(id);
        await layers.remove(diffId);
      });
    }
  }

  const orphans = images.orphans(options.used());
  if (orphans.length > 0) await found(`${orphans.length} layers`, 'belong to nothing', 'they are removed', () => images.collect(options.used()));
  const damaged = `${paths.dataRoot}/damaged`;
  if (files.exists(damaged)) await found(damaged, `has ${files.readdir(damaged).length} things that could not be read at a start`, 'it is removed', () => files.removeTree(damaged));
  return check;
}

/** Makes the layer's archive again and compares its hash; what is wrong in words. */
async function compare({ system: { clock }, layers, images, cancellation }: StoreCheckOptions, diffId: string, check: StoreCheck): Promise<string | undefined> {
  const unpin = images.pin([diffId]);
  try {
    const source = layers.tar(diffId).open();
    try {
      let turnBytes = 0;
      for (let part = await source.read(); part !== null && !cancellation.cancelled; part = await source.read()) {
        check.readBytes += part.length;
        turnBytes += part.length;
        if (turnBytes < TURN_BYTES) continue;
        turnBytes = 0;
        await sleep(clock, 0);
      }
      return undefined;
    } finally {
      source.close();
    }
  } catch (error) {
    return messageOf(error);
  } finally {
    unpin();
  }
}

function missingFolder({ system: { files }, paths, layers }: StoreCheckOptions, diffId: string): string | undefined {
  const folder = layers.get(diffId)?.folder ?? '';
  return files.exists(`${paths.layers}/${folder}/diff`) ? undefined : 'its files are gone';
}
