import { concat } from 'host:bytes';
import { diff, fingerprint } from 'host:delta';
import { EngineError } from '../error.ts';
import type { LayerTar } from '../images/index.ts';
import type { Files } from '../ports/index.ts';
import { units, type ArchivedFile } from './archive-units.ts';
import type { DeltaBase } from './base.ts';
import type { BaseIndex } from './candidates.ts';
import { END, formatHead } from './container.ts';
import { createGroupWriter, type GroupWriter } from './groups.ts';
import { GROUP_LIMIT_BYTES, LANE, OP } from './lanes.ts';

/** The layer that is to come out. */
export interface DeltaTarget {
  diffId: string;
  tar: LayerTar;
}

/** What one instruction adds at most, but for pieces of the host's diff, which are no larger. */
const DATA_BYTES = 64 * 1024;
/** A group ends before an instruction that may not fit. */
const GROUP_FULL_BYTES = GROUP_LIMIT_BYTES - 320 * 1024;
/** Where a file is not like any other: comparing costs more than it could save. */
const TINY_BYTES = 32;

/** Bytes of the target's archive in order, without those who ask having to care for its pieces. */
interface ArchiveReader {
  /** Between 1 and `maxBytes`. */
  some(maxBytes: number): Promise<Uint8Array>;
  close(): void;
}

/** Writes the delta that makes a layer from a base. The same input gives the same bytes. */
export async function createDelta(files: Files, target: DeltaTarget, base: DeltaBase, index: BaseIndex, write: (bytes: Uint8Array) => void): Promise<void> {
  const contents = target.tar.contents();
  const archive = openArchive(target);
  const groups = createGroupWriter(base.prefixes);
  const room = async (): Promise<void> => {
    if (groups.pendingBytes > GROUP_FULL_BYTES) write(await groups.take());
  };
  const pass = async (countBytes: number): Promise<void> => {
    for (let left = countBytes; left > 0; ) {
      const part = await archive.some(left);
      groups.made(part);
      left -= part.length;
    }
  };
  const literal = async (sizeBytes: number): Promise<void> => {
    for (let left = sizeBytes; left > 0; ) {
      const part = await archive.some(Math.min(left, DATA_BYTES));
      await room();
      groups.op(OP.raw);
      groups.number(LANE.raws, part.length);
      groups.data(LANE.literal, part.slice());
      groups.made(part);
      left -= part.length;
    }
  };
  let current = -1;
  const use = (number: number): void => {
    const move = number - (current + 1);
    groups.op(OP.file);
    groups.number(LANE.moves, move >= 0 ? move * 2 : -move * 2 - 1);
    current = number;
  };

  const putFile = async (file: ArchivedFile, place: number): Promise<void> => {
    if (file.sizeBytes === 0) return;
    if (!file.plain) return literal(file.sizeBytes);
    const fd = contents.open(file.path, place);
    try {
      const { sha256, sketch } = await fingerprint(fd, file.sizeBytes);
      const same = index.same(sha256, file.path, current);
      if (same !== undefined) {
        use(same);
        groups.op(OP.rest);
        return await pass(file.sizeBytes);
      }
      const best = file.sizeBytes <= TINY_BYTES ? undefined : await closest(files, base, index.similar(file.path, file.sizeBytes, sketch), fd, file.sizeBytes);
      if (best === undefined) return await literal(file.sizeBytes);
      use(best.number);
      for (const { lanes, sizeBytes } of best.pieces) {
        await room();
        groups.lanes(lanes);
        await pass(sizeBytes);
      }
    } finally {
      files.close(fd);
    }
  };

  try {
    write(formatHead({ diffId: target.diffId, sizeBytes: target.tar.sizeBytes, baseDiffIds: base.diffIds }));
    for (const unit of units(contents.segments())) {
      await room();
      if (unit.kind === 'file') await putFile(unit.file, unit.place);
      else if (unit.kind === 'padding') {
        groups.op(OP.pad);
        await pass(unit.sizeBytes);
      } else await putBlocks(groups, unit.kind, unit.bytes, pass);
    }
    const last = await groups.take();
    write(concat([last, new Uint8Array([END])]));
  } finally {
    archive.close();
    contents.close();
  }
}

async function putBlocks(groups: GroupWriter, kind: 'block' | 'blocks', bytes: Uint8Array, pass: (countBytes: number) => Promise<void>): Promise<void> {
  if (kind === 'blocks' || !groups.header(bytes)) {
    groups.op(OP.blocks);
    groups.number(LANE.raws, bytes.length);
    groups.data(LANE.blocks, bytes.slice());
  }
  await pass(bytes.length);
}

type Pieces = Awaited<ReturnType<typeof diff>>['pieces'];

/** The base file from which the fewest bytes lead to the new one, when they are fewer than the new file's own. */
async function closest(files: Files, base: DeltaBase, candidates: readonly number[], fd: number, sizeBytes: number): Promise<{ number: number; pieces: Pieces } | undefined> {
  if (candidates.length === 0) return undefined;
  // Against nothing: what the file's own bytes take.
  let leastBytes = (await diff(fd, 0, fd, sizeBytes)).costBytes;
  let best: { number: number; pieces: Pieces } | undefined;
  for (const number of candidates) {
    const old = base.open(number);
    try {
      const { pieces, costBytes } = await diff(old, base.file(number)?.sizeBytes ?? 0, fd, sizeBytes);
      if (costBytes >= leastBytes) continue;
      leastBytes = costBytes;
      best = { number, pieces };
    } finally {
      files.close(old);
    }
  }
  return best;
}

function openArchive({ diffId, tar }: DeltaTarget): ArchiveReader {
  const source = tar.open();
  let held: Uint8Array = new Uint8Array(0);
  return {
    async some(maxBytes) {
      if (held.length === 0) {
        const part = await source.read();
        if (part === null) throw new EngineError('internal', 'LAYER_DAMAGED', `layer ${diffId} is shorter than it was`);
        held = part;
      }
      const bytes = held.subarray(0, maxBytes);
      held = held.subarray(bytes.length);
      return bytes;
    },
    close: () => source.close(),
  };
}
