import { concat } from 'host:bytes';
import { headers, packer, type Lanes, type Packer } from 'host:delta';
import { Sha256 } from 'host:crypto';
import { CHECK_BYTES, formatGroup, number } from './container.ts';
import { FIRST_COLUMN, GROUP_LIMIT_BYTES, LANE, LANE_COUNT, LITERAL_WINDOW_LOG, OP, WINDOW_LOG } from './lanes.ts';

/** Collects instructions and their data, and gives them out in groups. */
export interface GroupWriter {
  op(code: number): void;
  number(lane: number, value: number): void;
  data(lane: number, bytes: Uint8Array): void;
  /** A header with its instruction; false when the block is none. */
  header(block: Uint8Array): boolean;
  /** What `pieces` of the host's diff are made of, in one. */
  lanes(lanes: Lanes): void;
  /** Hashes what the instructions so far make. */
  made(bytes: Uint8Array): void;
  readonly pendingBytes: number;
  /** The group so far; empty when there is nothing. */
  take(): Promise<Uint8Array>;
}

const LEVEL = 19;
const NUMBERS_AT_A_TIME = 4096;

export function createGroupWriter(prefixes: readonly Uint8Array[]): GroupWriter {
  const hash = new Sha256();
  const columns = headers();
  const packers: (Packer | undefined)[] = Array.from({ length: LANE_COUNT }, () => undefined);
  const parts: Uint8Array[][] = Array.from({ length: LANE_COUNT }, () => []);
  const small: number[][] = Array.from({ length: LANE_COUNT }, () => []);
  let sizeBytes = 0;
  const flush = (lane: number): void => {
    const bytes = small[lane];
    if (bytes === undefined || bytes.length === 0) return;
    parts[lane]?.push(new Uint8Array(bytes));
    small[lane] = [];
  };
  const put = (lane: number, byte: number): void => {
    small[lane]?.push(byte);
    sizeBytes += 1;
    if ((small[lane]?.length ?? 0) >= NUMBERS_AT_A_TIME) flush(lane);
  };
  const data = (lane: number, bytes: Uint8Array): void => {
    if (bytes.length === 0) return;
    flush(lane);
    parts[lane]?.push(bytes);
    sizeBytes += bytes.length;
  };
  return {
    op: (code) => put(LANE.ops, code),
    number(lane, value) {
      if (value < 128) put(lane, value);
      else for (const byte of number(value)) put(lane, byte);
    },
    data,
    header(block) {
      if (!columns.put(block, 0)) return false;
      put(LANE.ops, OP.header);
      return true;
    },
    lanes(lanes) {
      for (const [lane, bytes] of lanes.entries()) data(lane, bytes);
    },
    made: (bytes) => void hash.update(bytes),
    get pendingBytes() {
      return sizeBytes + columns.pendingBytes;
    },
    async take() {
      for (const [index, column] of columns.take().entries()) data(FIRST_COLUMN + index, column);
      if (sizeBytes === 0) return new Uint8Array(0);
      if (sizeBytes > GROUP_LIMIT_BYTES) throw new Error(`a group of ${sizeBytes} bytes`);
      const group: { sizeBytes: number; packed: Uint8Array }[] = [];
      for (let lane = 0; lane < LANE_COUNT; lane += 1) {
        flush(lane);
        const whole = concat(parts[lane] ?? []);
        parts[lane] = [];
        const stream = whole.length === 0 ? undefined : (packers[lane] ??= packer(LEVEL, lane === LANE.literal ? LITERAL_WINDOW_LOG : WINDOW_LOG, prefixes[lane] ?? new Uint8Array(0)));
        group.push({ sizeBytes: whole.length, packed: stream === undefined ? whole : await stream.pack(whole) });
      }
      sizeBytes = 0;
      return formatGroup(group, hash.digest().subarray(0, CHECK_BYTES));
    },
  };
}
