import { concat, encode, fromHex, hex, text } from 'host:bytes';
import { EngineError } from '../error.ts';
import { LANE_COUNT } from './lanes.ts';

/** What stands before the groups. */
export interface DeltaHead {
  /** 'sha256:…' of the archive that comes out. */
  diffId: string;
  sizeBytes: number;
  /** The layers whose files are the base, in order. */
  baseDiffIds: readonly string[];
}

/** Exactly so many bytes, or an error when there are fewer. */
export type Take = (countBytes: number) => Uint8Array;

export const VERSION = 2;
export const GROUP = 1;
export const END = 0;
/** Of the hash of all that has come out so far. */
export const CHECK_BYTES = 8;
const MAGIC = 'MINKEDLT';
const BASE_LIMIT = 128;
const HASH_BYTES = 32;

export function formatHead({ diffId, sizeBytes, baseDiffIds }: DeltaHead): Uint8Array {
  const digest = (id: string): Uint8Array => fromHex(id.slice('sha256:'.length));
  return concat([encode(MAGIC), new Uint8Array([VERSION]), digest(diffId), number(sizeBytes), number(baseDiffIds.length), ...baseDiffIds.map(digest)]);
}

export function readHead(take: Take): DeltaHead {
  if (text(take(MAGIC.length)) !== MAGIC) throw damaged('it does not begin as deltas do');
  const version = take(1)[0];
  if (version !== VERSION) {
    throw new EngineError('invalid', 'DELTA_VERSION', `this delta has format ${version}, and this engine knows ${VERSION}`, { hint: 'update the engine, or pull the image without a delta' });
  }
  const digest = (): string => `sha256:${hex(take(HASH_BYTES))}`;
  const diffId = digest();
  const sizeBytes = readNumber(take);
  const count = readNumber(take);
  if (count > BASE_LIMIT) throw damaged(`it names ${count} base layers`);
  return { diffId, sizeBytes, baseDiffIds: Array.from({ length: count }, digest) };
}

/** A group's beginning and its packed streams; the check follows. Streams that have nothing are a zero. */
export function formatGroup(lanes: readonly { sizeBytes: number; packed: Uint8Array }[], check: Uint8Array): Uint8Array {
  return concat([new Uint8Array([GROUP]), ...lanes.flatMap(({ sizeBytes, packed }) => (sizeBytes === 0 ? [number(0)] : [number(sizeBytes), number(packed.length), packed])), check]);
}

/** Lengths are checked before anything is taken. */
export function readGroup(take: Take, unpack: (lane: number, packed: Uint8Array, sizeBytes: number) => Uint8Array, limits: { unpacked: number; packed: number }): { lanes: Uint8Array[]; check: Uint8Array } {
  const lanes: Uint8Array[] = [];
  let left = limits.unpacked;
  for (let lane = 0; lane < LANE_COUNT; lane += 1) {
    const sizeBytes = readNumber(take);
    left -= sizeBytes;
    if (left < 0) throw damaged('a group is too large');
    if (sizeBytes === 0) {
      lanes.push(new Uint8Array(0));
      continue;
    }
    const packedBytes = readNumber(take);
    if (packedBytes > limits.packed) throw damaged('a group is too large');
    lanes.push(unpack(lane, take(packedBytes), sizeBytes));
  }
  return { lanes, check: take(CHECK_BYTES) };
}

/** Seven bits a byte, the lowest first; the eighth says that more follow. */
export function number(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  bytes.push(left);
  return new Uint8Array(bytes);
}

function readNumber(take: Take): number {
  let value = 0;
  for (let scale = 1; scale < 2 ** 53; scale *= 128) {
    const byte = take(1)[0] ?? 0;
    value += (byte % 128) * scale;
    if (value > Number.MAX_SAFE_INTEGER) break;
    if (byte < 128) return value;
  }
  throw damaged('a number is too large');
}

export function damaged(why: string, cause?: unknown): EngineError {
  return new EngineError('invalid', 'DELTA_DAMAGED', `the delta is damaged: ${why}`, cause === undefined ? {} : { cause });
}
