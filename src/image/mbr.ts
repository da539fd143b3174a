import type { DiskWrite } from './gpt.ts';
import { sectorBytes, type DiskLayout, type Partition } from './partition-table.ts';

const fat32Lba = 0x0c;
const linux = 0x83;
const extendedLba = 0x0f;

/** Master boot record, and before each logical partition (where there are any) the sector (EBR) that describes it and links to the next. */
export function encodeMbr(layout: DiskLayout): DiskWrite[] {
  const { extended } = layout;
  const primary = layout.partitions.filter(({ number }) => number < 4);
  const logical = layout.partitions.filter(({ number }) => number > 4);
  const record = table([
    ...primary.map((one) => entry(one.name === 'boot' ? fat32Lba : linux, one.startBytes, one.sizeBytes, one.name === 'boot')),
    ...(extended === null ? [] : [entry(extendedLba, extended.startBytes, extended.sizeBytes)]),
  ]);
  record.writeUInt32LE(Number.parseInt(layout.diskId, 16), 440);
  if (extended === null) return [{ offset: 0, bytes: record }];
  const ends = [extended.startBytes, ...logical.map(end)];
  const links = logical.map((one, index): DiskWrite => {
    const own = ends[index] ?? 0;
    const next = logical[index + 1];
    // The first field is relative to this sector, the link to the extended partition's start.
    const entries = [entry(linux, one.startBytes - own, one.sizeBytes)];
    if (next !== undefined) entries.push(entry(0x05, end(one) - extended.startBytes, end(next) - end(one)));
    return { offset: own, bytes: table(entries) };
  });
  return [{ offset: 0, bytes: record }, ...links];
}

const end = (partition: Partition): number => partition.startBytes + partition.sizeBytes;

function table(entries: Buffer[]): Buffer {
  const bytes = Buffer.alloc(sectorBytes);
  entries.forEach((one, index) => bytes.set(one, 446 + 16 * index));
  bytes.writeUInt16BE(0x55aa, 510);
  return bytes;
}

function entry(type: number, startBytes: number, sizeBytes: number, active = false): Buffer {
  const bytes = Buffer.alloc(16);
  bytes[0] = active ? 0x80 : 0;
  // Cylinder, head, sector: the "does not fit" mark, which makes every reader use the sector numbers.
  bytes.set([0xfe, 0xff, 0xff], 1);
  bytes[4] = type;
  bytes.set([0xfe, 0xff, 0xff], 5);
  bytes.writeUInt32LE(startBytes / sectorBytes, 8);
  bytes.writeUInt32LE(sizeBytes / sectorBytes, 12);
  return bytes;
}
