import { concat } from 'host:bytes';
import { headers } from 'host:delta';
import { EngineError } from '../error.ts';
import type { LayerContents } from '../images/index.ts';
import type { Fd } from '../ports/index.ts';
import { forEachUnit } from './archive-units.ts';
import { FIRST_COLUMN, LANE, LANE_COUNT, PREFIX_BYTES } from './lanes.ts';

export interface BaseLayer {
  diffId: string;
  contents: LayerContents;
}

/** A file of the base, by its number. */
export interface BaseFile {
  path: string;
  sizeBytes: number;
}

/** The base's files in the order of its archives, and what its headers give the new ones to begin with. */
export interface DeltaBase {
  diffIds: readonly string[];
  count: number;
  /** Undefined for a number that none has. */
  file(number: number): BaseFile | undefined;
  open(number: number): Fd;
  /** By lane; empty for those of contents. */
  prefixes: readonly Uint8Array[];
}

/** Reads the layers' records, no file. They stay the caller's to close. */
export function openBase(layers: readonly BaseLayer[]): DeltaBase {
  const paths: string[] = [];
  const sizes: number[] = [];
  const places: number[] = [];
  /** Number of each layer's first file. */
  const starts: number[] = [];
  const tails = Array.from({ length: LANE_COUNT }, createTail);
  for (const { contents } of layers) {
    starts.push(paths.length);
    const columns = headers();
    forEachUnit(contents.segments(), {
      header: (bytes, at) => columns.put(bytes, at),
      blocks: (bytes) => tails[LANE.blocks]?.add(bytes),
      padding: () => undefined,
      file({ path, sizeBytes, plain }, place) {
        if (!plain || sizeBytes === 0) return;
        paths.push(path);
        sizes.push(sizeBytes);
        places.push(place);
      },
    });
    for (const [index, column] of columns.take().entries()) tails[FIRST_COLUMN + index]?.add(column);
  }
  const layerOf = (number: number): number => {
    let layer = starts.length - 1;
    while ((starts[layer] ?? 0) > number) layer -= 1;
    return layer;
  };
  const file = (number: number): BaseFile | undefined => {
    const path = paths[number];
    return path === undefined ? undefined : { path, sizeBytes: sizes[number] ?? 0 };
  };
  return {
    diffIds: layers.map(({ diffId }) => diffId),
    count: paths.length,
    file,
    open(number) {
      const layer = layers[layerOf(number)];
      const path = paths[number];
      if (layer === undefined || path === undefined) throw new EngineError('internal', 'DELTA_BASE_MISSING', `the base has no file ${number}`);
      return layer.contents.open(path, places[number] ?? 0);
    },
    prefixes: tails.map((tail) => tail.bytes()),
  };
}

/** The last of what is added. */
function createTail(): { add(bytes: Uint8Array): void; bytes(): Uint8Array } {
  let parts: Uint8Array[] = [];
  let sizeBytes = 0;
  const bytes = (): Uint8Array => {
    const all = concat(parts);
    return all.slice(Math.max(0, all.length - PREFIX_BYTES));
  };
  return {
    add(more) {
      parts.push(more.slice());
      sizeBytes += more.length;
      if (sizeBytes < 2 * PREFIX_BYTES) return;
      parts = [bytes()];
      sizeBytes = PREFIX_BYTES;
    },
    bytes,
  };
}
