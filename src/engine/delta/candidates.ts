import { fingerprint } from 'host:delta';
import type { Files } from '../ports/index.ts';
import type { DeltaBase } from './base.ts';

/** Which base file a new one is, or may resemble. */
export interface BaseIndex {
  /** A file with this content, best the one that follows `previous`. */
  same(sha256: string, path: string, previous: number): number | undefined;
  /** The likeliest first; few. */
  similar(path: string, sizeBytes: number, sketch: readonly number[]): number[];
}

const SAME_PATH_LIMIT = 2;
const SAME_SKETCH_LIMIT = 40;
/** So many pieces in common of eight are no accident. */
const SKETCH_VOTES = 2;
const SKETCH_LEAST_BYTES = 256;

/** Reads all files of the base once. */
export async function indexBase(files: Files, base: DeltaBase): Promise<BaseIndex> {
  const byHash = new Map<string, number[]>();
  const byPath = new Map<string, number[]>();
  const byShape = new Map<string, number[]>();
  const byName = new Map<string, number[]>();
  const bySketch = new Map<number, number[]>();
  for (let number = 0; number < base.count; number += 1) {
    const file = base.file(number);
    if (file === undefined) continue;
    const fd = base.open(number);
    try {
      const { sha256, sketch } = await fingerprint(fd, file.sizeBytes);
      push(byHash, sha256, number);
      if (file.sizeBytes >= SKETCH_LEAST_BYTES) for (const piece of sketch) if ((bySketch.get(piece)?.length ?? 0) < SAME_SKETCH_LIMIT) push(bySketch, piece, number);
    } finally {
      files.close(fd);
    }
    push(byPath, file.path, number);
    push(byShape, shapeOf(file.path), number);
    push(byName, shapeOf(nameOf(file.path)), number);
  }
  return {
    same(sha256, path, previous) {
      const numbers = byHash.get(sha256);
      return numbers?.find((number) => number === previous + 1) ?? numbers?.find((number) => base.file(number)?.path === path) ?? numbers?.[0];
    },
    similar(path, sizeBytes, sketch) {
      const found = new Set<number>();
      // The upper layer's file is what the lower one's became.
      for (const number of [byPath.get(path)?.at(-1), ...(byShape.get(shapeOf(path)) ?? [])]) if (number !== undefined && found.size < SAME_PATH_LIMIT) found.add(number);
      const voted = sizeBytes < SKETCH_LEAST_BYTES ? undefined : mostVoted(sketch, bySketch);
      if (voted !== undefined) found.add(voted);
      if (found.size === 0) {
        const closest = (byName.get(shapeOf(nameOf(path))) ?? []).toSorted((a, b) => distance(a) - distance(b))[0];
        if (closest !== undefined) found.add(closest);
      }
      return [...found];
      function distance(number: number): number {
        return Math.abs((base.file(number)?.sizeBytes ?? 0) - sizeBytes);
      }
    },
  };
}

function mostVoted(sketch: readonly number[], bySketch: ReadonlyMap<number, readonly number[]>): number | undefined {
  const votes = new Map<number, number>();
  for (const piece of sketch) for (const number of bySketch.get(piece) ?? []) votes.set(number, (votes.get(number) ?? 0) + 1);
  let best: number | undefined;
  for (const [number, count] of votes) if (count >= SKETCH_VOTES && count > (best === undefined ? 0 : (votes.get(best) ?? 0))) best = number;
  return best;
}

/** Versions and hashes in a path change from release to release. */
function shapeOf(path: string): string {
  return path.replace(/\d+(?:[.~+-]\d+)*/g, '#');
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function push<K>(map: Map<K, number[]>, key: K, number: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [number]);
  else list.push(number);
}
