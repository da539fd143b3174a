import { player, headers, unpacker, type Columns, type Lanes, type Unpacker } from 'host:delta';
import { Sha256 } from 'host:crypto';
import type { HashedSource } from '../archive/index.ts';
import { EngineError, systemErrorCode } from '../error.ts';
import type { Fd, Files } from '../ports/index.ts';
import type { DeltaBase } from './base.ts';
import { CHECK_BYTES, damaged, END, GROUP, readGroup, readHead, type DeltaHead, type Take } from './container.ts';
import { FIRST_COLUMN, GROUP_LIMIT_BYTES, LANE, LANE_COUNT, PACKED_LIMIT_BYTES } from './lanes.ts';

const CHUNK_BYTES = 64 * 1024;

/** What the delta says of itself. Throws EngineError 'DELTA_DAMAGED' or 'DELTA_VERSION'. */
export function readDeltaHead(files: Files, fd: Fd): DeltaHead {
  files.seek(fd, 0);
  return readHead(taking(files, fd));
}

/**
 * The archive that a delta makes of a base, whose layers must be those that the delta names. Reading throws EngineError 'DELTA_DAMAGED', or
 * 'DELTA_BASE_CHANGED' when a file of the base is not what it was: nothing that came before is worth anything then. Memory is bounded,
 * whatever the delta says. The descriptor stays the caller's.
 */
export function applyDelta(files: Files, fd: Fd, base: DeltaBase): HashedSource & { close(): void } {
  const hash = createOutputHash();
  const parts = play(files, fd, base, hash);
  return {
    get sizeBytes() {
      return hash.sizeBytes();
    },
    hex: () => hash.hex(),
    async read() {
      const { value, done } = await parts.next();
      return done === true ? null : value;
    },
    close: () => void parts.return(undefined),
  };
}

/** The hash of what is made: of whole chunks on the pool, while the next one is made. */
interface OutputHash {
  /** Adds bytes that do not change any more. */
  add(bytes: Uint8Array): Promise<void>;
  /** Of all so far. */
  digest(): Promise<Uint8Array>;
  hex(): string;
  sizeBytes(): number;
}

function createOutputHash(): OutputHash {
  const hash = new Sha256();
  let sizeBytes = 0;
  let pending: Promise<void> | undefined;
  return {
    async add(bytes) {
      await pending;
      sizeBytes += bytes.length;
      pending = hash.updateLater(bytes);
    },
    async digest() {
      await pending;
      return hash.digest();
    },
    hex: () => hash.hex(),
    sizeBytes: () => sizeBytes,
  };
}

async function* play(files: Files, fd: Fd, base: DeltaBase, hash: OutputHash): AsyncGenerator<Uint8Array> {
  const take = taking(files, fd);
  files.seek(fd, 0);
  const head = readHead(take);
  const streams: (Unpacker | undefined)[] = Array.from({ length: LANE_COUNT }, () => undefined);
  const columns = headers();
  const content = player(columns);
  const source = createBaseReader(files, base);
  let out = new Uint8Array(CHUNK_BYTES);
  let used = 0;
  let hashedTo = 0;
  let madeBytes = 0;
  const hashed = async (): Promise<void> => {
    if (used > hashedTo) await hash.add(out.subarray(hashedTo, used));
    hashedTo = used;
  };
  /** Gives away what has been made, hashed, and begins a new chunk. */
  const renew = async (): Promise<Uint8Array> => {
    await hashed();
    const full = out.subarray(0, used);
    out = new Uint8Array(CHUNK_BYTES);
    used = 0;
    hashedTo = 0;
    return full;
  };
  const unpack = (lane: number, packed: Uint8Array, sizeBytes: number): Uint8Array => (streams[lane] ??= unpacker(base.prefixes[lane] ?? new Uint8Array(0))).unpack(packed, sizeBytes);
  try {
    for (;;) {
      const mark = take(1)[0];
      if (mark === END) break;
      if (mark !== GROUP) throw damaged('a group has no beginning');
      const { lanes, check } = readGroup(take, unpack, { unpacked: GROUP_LIMIT_BYTES, packed: PACKED_LIMIT_BYTES });
      content.group(lanes.slice(0, FIRST_COLUMN) as unknown as Lanes, lanes[LANE.blocks]);
      columns.group(lanes.slice(FIRST_COLUMN, LANE.blocks) as unknown as Columns);
      for (let ended = false; !ended; ) {
        const to = content.run(out, used);
        madeBytes += to - used;
        if (madeBytes > head.sizeBytes) throw damaged('it makes more than it says');
        used = to;
        if (content.stop === 0) yield await renew();
        else if (content.stop === 1) ended = true;
        else {
          const { fd: file, sizeBytes } = source.move(content.value);
          content.base(file, sizeBytes);
        }
      }
      await hashed();
      const made = await hash.digest();
      for (let i = 0; i < CHECK_BYTES; i += 1) if (made[i] !== check[i]) throw changed(source.path());
    }
    if (used > 0) yield await renew();
    await hash.digest(); // all of it is in
    if (madeBytes !== head.sizeBytes || `sha256:${hash.hex()}` !== head.diffId) throw changed(source.path());
  } catch (error) {
    throw explain(error, source.path());
  } finally {
    await hash.digest().catch(() => undefined); // the pool reads the chunk still
    source.close();
    for (const stream of streams) stream?.close();
  }
}

/** So many files are asked for before it is their turn, and of each so much: small ones would be waited for one by one. */
const AHEAD_FILES = 64;
const AHEAD_BYTES = 128 * 1024;

/** The base files, mostly one after the other. */
function createBaseReader(files: Files, base: DeltaBase): { move(zigzag: number): { fd: Fd; sizeBytes: number }; path(): string; close(): void } {
  let number = -1;
  let fd: Fd | undefined;
  const ahead = new Map<number, Fd>();
  let aheadTo = -1;
  const openAhead = (next: number): void => {
    const file = base.file(next);
    if (file === undefined || ahead.has(next)) return;
    try {
      const open = base.open(next);
      ahead.set(next, open);
      files.readAhead(open, Math.min(file.sizeBytes, AHEAD_BYTES));
    } catch {
      // It is said when it is this file's turn, if that ever comes.
    }
  };
  const closeOthers = (from: number, to: number): void => {
    for (const [next, open] of ahead) {
      if (next >= from && next <= to) continue;
      ahead.delete(next);
      files.close(open);
    }
  };
  const closeCurrent = (): void => {
    if (fd !== undefined) files.close(fd);
    fd = undefined;
  };
  return {
    close() {
      closeCurrent();
      closeOthers(1, 0);
    },
    path: () => base.file(number)?.path ?? '',
    move(zigzag) {
      closeCurrent();
      const expected = number + 1;
      number = expected + (zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2);
      const file = base.file(number);
      if (file === undefined) throw damaged('it names a file that the base does not have');
      fd = ahead.get(number);
      ahead.delete(number);
      fd ??= base.open(number);
      if (number !== expected) aheadTo = number;
      else while (aheadTo < number + AHEAD_FILES) openAhead((aheadTo = Math.max(aheadTo, number) + 1));
      if (ahead.size > AHEAD_FILES) closeOthers(number + 1, number + AHEAD_FILES);
      return { fd, sizeBytes: file.sizeBytes };
    },
  };
}

function taking(files: Files, fd: Fd): Take {
  let held: Uint8Array = new Uint8Array(0);
  return (count) => {
    if (count <= held.length) {
      const bytes = held.subarray(0, count);
      held = held.subarray(count);
      return bytes;
    }
    const bytes = new Uint8Array(count);
    bytes.set(held);
    let have = held.length;
    held = new Uint8Array(0);
    while (have < count) {
      const buffer = new Uint8Array(CHUNK_BYTES);
      const length = files.read(fd, buffer);
      if (length === 0) throw damaged('it is cut short');
      const wanted = Math.min(length, count - have);
      bytes.set(buffer.subarray(0, wanted), have);
      held = buffer.subarray(wanted, length);
      have += wanted;
    }
    return bytes;
  };
}

function changed(path: string, cause?: unknown): EngineError {
  return new EngineError('conflict', 'DELTA_BASE_CHANGED', `the delta does not fit: a file of its base is not what it was${path === '' ? '' : ` (perhaps ${path})`}`, {
    hint: 'pull or load the whole image', ...(cause === undefined ? {} : { cause }),
  });
}

function explain(error: unknown, path: string): unknown {
  const code = systemErrorCode(error);
  if (code === 'CORRUPT') return damaged('its streams cannot be read', error);
  if (code === 'ESTALE' || code === 'ENOENT' || code === 'EIO') return changed(path, error);
  return error;
}
