import { player, headers, unpacker, type Columns, type Lanes, type Unpacker } from 'host:delta';
import { Sha256 } from 'host:crypto';
import { EngineError, systemErrorCode } from '../error.ts';
import type { ByteSource, Fd, Files } from '../ports/index.ts';
import type { DeltaBase } from './base.ts';
import { CHECK_BYTES, damaged, END, GROUP, readGroup, readHead, type DeltaHead, type Take } from './container.ts';
import { FIRST_COLUMN, GROUP_LIMIT_BYTES, LANE, LANE_COUNT, PACKED_LIMIT_BYTES } from './lanes.ts';

const CHUNK_BYTES = 64 * 1024;
const BLOCK_BYTES = 512;

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
export function applyDelta(files: Files, fd: Fd, base: DeltaBase): ByteSource & { close(): void } {
  const parts = play(files, fd, base);
  return {
    read() {
      try {
        const { value, done } = parts.next();
        return Promise.resolve(done === true ? null : value);
      } catch (error) {
        return Promise.reject(error);
      }
    },
    close: () => void parts.return(undefined),
  };
}

function* play(files: Files, fd: Fd, base: DeltaBase): Generator<Uint8Array> {
  const take = taking(files, fd);
  files.seek(fd, 0);
  const head = readHead(take);
  const hash = new Sha256();
  const streams: (Unpacker | undefined)[] = Array.from({ length: LANE_COUNT }, () => undefined);
  const content = player();
  const columns = headers();
  const source = createBaseReader(files, base);
  let blocks: Uint8Array = new Uint8Array(0);
  let out = new Uint8Array(CHUNK_BYTES);
  let used = 0;
  let hashedTo = 0;
  let madeBytes = 0;
  const settle = (to: number): void => {
    madeBytes += to - hashedTo;
    if (madeBytes > head.sizeBytes) throw damaged('it makes more than it says');
    hash.update(out.subarray(hashedTo, to));
    hashedTo = to;
    used = to;
  };
  const renew = (): Uint8Array => {
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
      if (blocks.length > 0) throw damaged('blocks are left over');
      content.group(lanes.slice(0, FIRST_COLUMN) as unknown as Lanes);
      columns.group(lanes.slice(FIRST_COLUMN, LANE.blocks) as unknown as Columns);
      blocks = lanes[LANE.blocks] ?? blocks;
      for (let ended = false; !ended; ) {
        settle(content.run(out, used));
        if (content.stop === 0) yield renew();
        else if (content.stop === 1) ended = true;
        else if (content.stop === 2) {
          if (used > CHUNK_BYTES - BLOCK_BYTES) yield renew();
          columns.get(out, used);
          settle(used + BLOCK_BYTES);
          content.gave(BLOCK_BYTES);
        } else if (content.stop === 3) {
          if (content.value > blocks.length) throw damaged('blocks are missing');
          for (let left = content.value; left > 0; ) {
            if (used === CHUNK_BYTES) yield renew();
            const count = Math.min(left, CHUNK_BYTES - used);
            out.set(blocks.subarray(0, count), used);
            blocks = blocks.subarray(count);
            settle(used + count);
            content.gave(count);
            left -= count;
          }
        } else {
          const { fd: file, sizeBytes } = source.move(content.value);
          content.base(file, sizeBytes);
        }
      }
      const made = hash.digest();
      for (let i = 0; i < CHECK_BYTES; i += 1) if (made[i] !== check[i]) throw changed(source.path());
    }
    if (used > 0) yield renew();
    if (madeBytes !== head.sizeBytes || `sha256:${hash.hex()}` !== head.diffId) throw changed(source.path());
  } catch (error) {
    throw explain(error, source.path());
  } finally {
    source.close();
    for (const stream of streams) stream?.close();
  }
}

/** The base files one after the other, one open at a time. */
function createBaseReader(files: Files, base: DeltaBase): { move(zigzag: number): { fd: Fd; sizeBytes: number }; path(): string; close(): void } {
  let number = -1;
  let fd: Fd | undefined;
  const close = (): void => {
    if (fd !== undefined) files.close(fd);
    fd = undefined;
  };
  return {
    close,
    path: () => base.file(number)?.path ?? '',
    move(zigzag) {
      close();
      number += 1 + (zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2);
      const file = base.file(number);
      if (file === undefined) throw damaged('it names a file that the base does not have');
      fd = base.open(number);
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
