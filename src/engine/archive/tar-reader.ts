import { concat, cString, find, text } from 'host:bytes';
import type { ByteSource } from '../ports/index.ts';
import { createBlockSource, TarError, type BlockSource } from './block-source.ts';
import { emptyPax, parsePax, paxNumber, paxTime, type PaxFields } from './pax.ts';
import { BLOCK_BYTES, paddingOf, TYPES_BY_FLAG, type SparseRange, type TarEntry, type TarEntryType } from './tar-entry.ts';
import { parseSparseRanges, parseTarHeader, type TarHeader } from './tar-header.ts';

export interface TarReader {
  /** The next entry, skipping what is left of the last one; null at the end of the archive. */
  next(): Promise<TarEntry | null>;
  /** Data of the current entry (for a sparse one: its ranges, one after the other). */
  content: ByteSource;
  /** Reads what stands behind the end mark, so that a hash of the whole stream is complete. */
  drain(): Promise<void>;
}

const META_LIMIT_BYTES = 1024 * 1024;
const SPARSE_RANGE_LIMIT = 100_000;

/** `onSkipped` gets every byte of the archive, in order, but those that `content` gives: headers, padding, what nobody wanted to read. */
export function createTarReader(source: ByteSource, onSkipped?: (bytes: Uint8Array) => void): TarReader {
  const plain = createBlockSource(source);
  const blocks = onSkipped === undefined ? plain : watched(plain, onSkipped);
  const globals = emptyPax();
  let leftBytes = 0;
  let paddingBytes = 0;

  const skip = async (count: number): Promise<void> => {
    for (let left = count; left > 0; ) {
      const part = await blocks.some(left);
      if (part === null) throw new TarError('archive is cut short');
      left -= part.length;
    }
  };
  const meta = async (header: TarHeader): Promise<Uint8Array> => {
    if (header.sizeBytes > META_LIMIT_BYTES) throw new TarError('archive has an oversized extended header');
    const padded = header.sizeBytes + paddingOf(header.sizeBytes);
    const data = padded === 0 ? new Uint8Array(0) : await blocks.exactly(padded);
    if (data === null) throw new TarError('archive is cut short');
    return data.slice(0, header.sizeBytes);
  };

  return {
    content: {
      async read() {
        if (leftBytes === 0) return null;
        const part = await plain.some(leftBytes);
        if (part === null) throw new TarError('archive is cut short');
        leftBytes -= part.length;
        return part;
      },
    },
    async next() {
      await skip(leftBytes + paddingBytes);
      leftBytes = 0;
      paddingBytes = 0;
      let pax: PaxFields = { records: new Map(globals.records), xattrs: new Map(globals.xattrs) };
      let longName: string | undefined;
      let longLink: string | undefined;
      for (;;) {
        const block = await blocks.exactly(BLOCK_BYTES);
        const header = block === null ? null : parseTarHeader(block);
        if (block === null || header === null) return null;
        if (header.flag === 'x') parsePax(await meta(header), pax);
        else if (header.flag === 'g') {
          parsePax(await meta(header), globals);
          pax = { records: new Map(globals.records), xattrs: new Map(globals.xattrs) };
        } else if (header.flag === 'L') longName = whole(await meta(header));
        else if (header.flag === 'K') longLink = whole(await meta(header));
        else {
          const stored = paxNumber(pax, 'size') ?? header.sizeBytes;
          const type = TYPES_BY_FLAG[header.flag];
          const hasData = type === 'file' || type === undefined;
          leftBytes = hasData ? stored : 0;
          paddingBytes = hasData ? paddingOf(stored) : 0;
          if (type === undefined) {
            // An unknown kind of entry: POSIX says to take it for a file, which would invent one. Skip it with its data.
            await skip(leftBytes + paddingBytes);
            leftBytes = 0;
            paddingBytes = 0;
            pax = { records: new Map(globals.records), xattrs: new Map(globals.xattrs) };
            longName = undefined;
            longLink = undefined;
            continue;
          }
          const entry = describe(header, pax, type, stored, longName, longLink);
          const sparse = await sparseMap(blocks, block, header, pax, (count) => {
            leftBytes -= count;
          });
          if (leftBytes < 0) throw new TarError('damaged sparse file in archive');
          if (sparse === undefined) return entry;
          checkRanges(sparse.ranges, sparse.sizeBytes, leftBytes);
          return { ...entry, sparse: sparse.ranges, sizeBytes: sparse.sizeBytes };
        }
      }
    },
    async drain() {
      while ((await blocks.some(64 * 1024)) !== null);
    },
  };
}

function watched(blocks: BlockSource, onTaken: (bytes: Uint8Array) => void): BlockSource {
  const seen = (bytes: Uint8Array | null): Uint8Array | null => {
    if (bytes !== null) onTaken(bytes);
    return bytes;
  };
  return { exactly: async (count) => seen(await blocks.exactly(count)), some: async (maxBytes) => seen(await blocks.some(maxBytes)) };
}

/** GNU long names end with a NUL that counts in the size. */
function whole(data: Uint8Array): string {
  return cString(data, 0, data.length);
}

function describe(header: TarHeader, pax: PaxFields, type: TarEntryType, sizeBytes: number, longName: string | undefined, longLink: string | undefined): TarEntry {
  const path = pax.records.get('GNU.sparse.name') ?? pax.records.get('path') ?? longName ?? header.name;
  const time = paxTime(pax.records.get('mtime')) ?? { seconds: header.mtimeSeconds, nanoseconds: 0 };
  return {
    path,
    // v7 archives mark a directory by a slash at the end alone.
    type: type === 'file' && path.endsWith('/') ? 'directory' : type,
    mode: header.mode,
    uid: paxNumber(pax, 'uid') ?? header.uid,
    gid: paxNumber(pax, 'gid') ?? header.gid,
    sizeBytes,
    mtimeSeconds: time.seconds,
    mtimeNanoseconds: time.nanoseconds,
    linkPath: pax.records.get('linkpath') ?? longLink ?? header.linkName,
    deviceMajor: header.deviceMajor,
    deviceMinor: header.deviceMinor,
    xattrs: pax.xattrs,
    sparse: undefined,
  };
}

interface SparseMap {
  ranges: SparseRange[];
  sizeBytes: number;
}

async function sparseMap(
  blocks: BlockSource,
  block: Uint8Array,
  header: TarHeader,
  pax: PaxFields,
  consumed: (count: number) => void,
): Promise<SparseMap | undefined> {
  if (header.flag === 'S') {
    const ranges = parseSparseRanges(block, 386, 4);
    const realSize = sparseSize(block);
    let more = block[482] === 1;
    while (more) {
      const extension = await blocks.exactly(BLOCK_BYTES);
      if (extension === null) throw new TarError('archive is cut short');
      ranges.push(...parseSparseRanges(extension, 0, 21));
      if (ranges.length > SPARSE_RANGE_LIMIT) throw new TarError('sparse file in archive has too many ranges');
      more = extension[504] === 1;
    }
    return { ranges, sizeBytes: realSize };
  }
  const listed = pax.records.get('GNU.sparse.map');
  if (listed !== undefined) return { ranges: pairs(listed.split(',')), sizeBytes: paxNumber(pax, 'GNU.sparse.size') ?? 0 };
  if (pax.records.get('GNU.sparse.major') !== '1') return undefined;
  const numbers: string[] = [];
  let wanted = 1;
  let tail: Uint8Array = new Uint8Array(0);
  while (numbers.length < wanted) {
    const piece = await blocks.exactly(BLOCK_BYTES);
    if (piece === null) throw new TarError('archive is cut short');
    consumed(BLOCK_BYTES);
    tail = concat([tail, piece]);
    for (let end = find(tail, '\n'); end >= 0 && numbers.length < wanted; end = find(tail, '\n')) {
      numbers.push(text(tail, 0, end));
      tail = tail.subarray(end + 1);
      if (numbers.length === 1) wanted = 1 + 2 * countOf(numbers[0]);
    }
    if (tail.length > 2 * BLOCK_BYTES) throw new TarError('damaged sparse file in archive');
  }
  return { ranges: pairs(numbers.slice(1)), sizeBytes: paxNumber(pax, 'GNU.sparse.realsize') ?? 0 };
}

function sparseSize(block: Uint8Array): number {
  const digits = cString(block, 483, 495).trim();
  if (!/^[0-7]{1,12}$/.test(digits)) throw new TarError('damaged sparse file in archive');
  return Number.parseInt(digits, 8);
}

function countOf(digits: string | undefined): number {
  if (digits === undefined || !/^\d{1,6}$/.test(digits) || Number(digits) > SPARSE_RANGE_LIMIT) throw new TarError('damaged sparse file in archive');
  return Number(digits);
}

function pairs(numbers: string[]): SparseRange[] {
  if (numbers.length % 2 !== 0 || numbers.length > 2 * SPARSE_RANGE_LIMIT || numbers.some((digits) => !/^\d{1,15}$/.test(digits))) {
    throw new TarError('damaged sparse file in archive');
  }
  const ranges: SparseRange[] = [];
  for (let index = 0; index < numbers.length; index += 2) ranges.push({ offset: Number(numbers[index]), sizeBytes: Number(numbers[index + 1]) });
  return ranges;
}

/** Ranges must come in order, lie within the file, and add up to the data that follows. */
function checkRanges(ranges: readonly SparseRange[], sizeBytes: number, dataBytes: number): void {
  let position = 0;
  let total = 0;
  for (const range of ranges) {
    if (range.offset < position || range.offset + range.sizeBytes > sizeBytes) throw new TarError('damaged sparse file in archive');
    position = range.offset + range.sizeBytes;
    total += range.sizeBytes;
  }
  if (total !== dataBytes) throw new TarError('damaged sparse file in archive');
}
