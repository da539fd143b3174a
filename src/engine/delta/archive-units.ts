import { concat, isZero } from 'host:bytes';
import type { RecordSegment } from '../images/index.ts';

export interface ArchivedFile {
  path: string;
  sizeBytes: number;
  /** Its content is the whole file; false for one with holes. */
  plain: boolean;
}

export interface UnitVisitor {
  /** A block of 512 bytes at `at`; false when it is no header: then it is given to `blocks`. */
  header(bytes: Uint8Array, at: number): boolean;
  /** Other bytes between the files. They may change afterwards. */
  blocks(bytes: Uint8Array): void;
  /** Zeros up to the next multiple of 512. */
  padding(countBytes: number): void;
  /** `place`: its place among all files of the archive. */
  file(file: ArchivedFile, place: number): void;
}

const BLOCK_BYTES = 512;

/** What an archive is made of, as deltas see it. */
export function forEachUnit(segments: Iterable<RecordSegment>, visit: UnitVisitor): void {
  for (const unit of units(segments)) {
    if (unit.kind === 'file') visit.file(unit.file, unit.place);
    else if (unit.kind === 'padding') visit.padding(unit.sizeBytes);
    else if (unit.kind === 'blocks' || !visit.header(unit.bytes, 0)) visit.blocks(unit.bytes);
  }
}

export type Unit = { kind: 'block'; bytes: Uint8Array } | { kind: 'blocks'; bytes: Uint8Array } | { kind: 'padding'; sizeBytes: number } | { kind: 'file'; file: ArchivedFile; place: number };

/** 'block': 512 bytes that may be a header. 'blocks': bytes that cannot be one. The same archive gives the same units, however its record is cut into segments. */
export function* units(segments: Iterable<RecordSegment>): Generator<Unit> {
  let position = 0;
  let place = 0;
  let behindFile = false;
  let pending: Uint8Array = new Uint8Array(0);
  const take = (count: number): Uint8Array => {
    const bytes = pending.subarray(0, count);
    pending = pending.subarray(count);
    position += count;
    return bytes;
  };
  for (const segment of segments) {
    if (segment.kind === 'file') {
      if (pending.length > 0) yield { kind: 'blocks', bytes: take(pending.length) };
      const { path, ranges } = segment.content;
      const sizeBytes = ranges.reduce((sum, range) => sum + range.sizeBytes, 0);
      yield { kind: 'file', file: { path, sizeBytes, plain: ranges.length === 1 && ranges[0]?.offset === 0 }, place };
      place += 1;
      position += sizeBytes;
      behindFile = true;
      continue;
    }
    pending = pending.length === 0 ? segment.bytes : concat([pending, segment.bytes]);
    const missing = (BLOCK_BYTES - (position % BLOCK_BYTES)) % BLOCK_BYTES;
    if (missing > 0) {
      if (pending.length < missing) continue;
      const padding = take(missing);
      yield behindFile && isZero(padding) ? { kind: 'padding', sizeBytes: missing } : { kind: 'blocks', bytes: padding };
    }
    behindFile = false;
    while (pending.length >= BLOCK_BYTES) yield { kind: 'block', bytes: take(BLOCK_BYTES) };
  }
  if (pending.length > 0) yield { kind: 'blocks', bytes: take(pending.length) };
}
