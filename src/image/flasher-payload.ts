import type { ByteRanges } from './ext4.ts';
import { partition, type DiskLayout } from './partition-table.ts';

/** A range of the image that the flasher writes and reads back in one go. Bytes, in whole blocks. */
export interface FlasherPiece {
  startBytes: number;
  sizeBytes: number;
}

/** What a flasher writes, in the order in which it does. */
export interface FlasherPayload {
  /** Inside partitions. */
  content: FlasherPiece[];
  /** Outside of them, from the end of the disk to its start: with the last one, the first blocks, the disk can be started. */
  table: FlasherPiece[];
}

export const flasherBlockBytes = 4096;
/** Small enough for progress to be seen on a slow eMMC, and for a message to say where a disk fails. */
const pieceBytes = 16 * 1024 ** 2;

/** Cuts the ranges of an image's block map into pieces. */
export function flasherPayload(ranges: ByteRanges, layout: DiskLayout): FlasherPayload {
  const inside = layout.partitions.map(({ startBytes, sizeBytes }) => ({ start: startBytes, end: startBytes + sizeBytes }));
  const content = ranges.flatMap((range) => inside.map((part) => ({ start: Math.max(range.start, part.start), end: Math.min(range.end, part.end) })).filter(({ start, end }) => start < end));
  const outside = ranges.flatMap((range) => without(range, inside));
  return { content: cut(content.toSorted((a, b) => a.start - b.start)), table: cut(outside.toSorted((a, b) => a.start - b.start)).toReversed() };
}

/** What of a range lies in none of the others, which are in order. */
function without(range: { start: number; end: number }, others: ByteRanges): ByteRanges {
  const left: ByteRanges = [];
  let at = range.start;
  for (const other of others.toSorted((a, b) => a.start - b.start)) {
    if (other.end <= at || other.start >= range.end) continue;
    if (other.start > at) left.push({ start: at, end: other.start });
    at = other.end;
  }
  if (at < range.end) left.push({ start: at, end: range.end });
  return left;
}

function cut(ranges: ByteRanges): FlasherPiece[] {
  return ranges.flatMap(({ start, end }) => {
    const count = Math.ceil((end - start) / pieceBytes);
    return Array.from({ length: count }, (_, index) => {
      const startBytes = start + index * pieceBytes;
      return { startBytes, sizeBytes: Math.min(pieceBytes, end - startBytes) };
    });
  });
}

/** Lines of `start count sha256`, in blocks: what the flasher's scripts read. */
export function pieceList(pieces: ReadonlyArray<FlasherPiece & { sha256: string }>): string {
  return pieces.map(({ startBytes, sizeBytes, sha256 }) => `${startBytes / flasherBlockBytes} ${sizeBytes / flasherBlockBytes} ${sha256}\n`).join('');
}

/** Numbers that the scripts need, in blocks: the disk's least size, where the first partition begins, and where the boot partition does. */
export function payloadNumbers(layout: DiskLayout): string {
  const first = Math.min(...layout.partitions.map(({ startBytes }) => startBytes));
  const numbers = { image_blocks: layout.sizeBytes, first_block: first, boot_block: partition(layout, 'boot').startBytes };
  return Object.entries(numbers)
    .map(([name, bytes]) => `${name}=${bytes / flasherBlockBytes}\n`)
    .join('');
}
