import type { FileHandle } from 'node:fs/promises';

import { OsbuildError } from '../model/index.ts';

const sectorBytes = 512;

export interface PartitionRange {
  startBytes: number;
  sizeBytes: number;
}

export type DiskPartitions = Record<'boot' | 'rootA' | 'rootB' | 'state' | 'data', PartitionRange>;

/** The five partitions of a disk image. */
export async function readPartitions(disk: FileHandle): Promise<DiskPartitions> {
  const found = await listPartitions(disk);
  const [boot, rootA, rootB, state, data] = found;
  if (!boot || !rootA || !rootB || !state || !data) throw unfit(`has ${found.length} partitions instead of five`);
  return { boot, rootA, rootB, state, data };
}

const unfit = (what: string): OsbuildError => new OsbuildError('OSB_BOOT_TEST_FAILED', `the image ${what}`, { hint: 'is it a disk image that `osbuild image` made?' });

/** The partitions of a disk, at most five, in the table's order: GPT, or MBR with state and data as logical partitions. */
export async function listPartitions(disk: FileHandle): Promise<PartitionRange[]> {
  const head = Buffer.alloc(34 * sectorBytes);
  const { bytesRead } = await disk.read(head, 0, head.length, 0);
  if (bytesRead < head.length || head.readUInt16LE(510) !== 0xaa55) throw unfit('has no partition table');
  return head.toString('latin1', sectorBytes, sectorBytes + 8) === 'EFI PART' ? gpt(head) : mbr(disk, head);
}

function gpt(head: Buffer): PartitionRange[] {
  const first = Number(head.readBigUInt64LE(sectorBytes + 72)) * sectorBytes;
  const entrySize = head.readUInt32LE(sectorBytes + 84);
  return Array.from({ length: 5 }, (_, index) => first + index * entrySize)
    .filter((at) => at + 48 <= head.length && head.readBigUInt64LE(at + 32) !== 0n)
    .map((at) => {
      const start = Number(head.readBigUInt64LE(at + 32));
      return { startBytes: start * sectorBytes, sizeBytes: (Number(head.readBigUInt64LE(at + 40)) - start + 1) * sectorBytes };
    });
}

async function mbr(disk: FileHandle, head: Buffer): Promise<PartitionRange[]> {
  const ranges: PartitionRange[] = [];
  let extended = 0;
  for (let index = 0; index < 4; index++) {
    const entry = mbrEntry(head, index);
    if (entry.type === 0x05 || entry.type === 0x0f) extended = entry.startBytes;
    else if (entry.type !== 0) ranges.push(entry);
  }
  // Each logical partition stands in a table of its own, whose second entry leads to the next table.
  for (let at = extended, count = 0; at !== 0 && count < 16; count++) {
    const table = Buffer.alloc(sectorBytes);
    await disk.read(table, 0, sectorBytes, at);
    const logical = mbrEntry(table, 0);
    if (logical.type !== 0) ranges.push({ startBytes: at + logical.startBytes, sizeBytes: logical.sizeBytes });
    const next = mbrEntry(table, 1);
    at = next.type === 0 ? 0 : extended + next.startBytes;
  }
  return ranges;
}

function mbrEntry(table: Buffer, index: number): PartitionRange & { type: number } {
  const at = 446 + index * 16;
  return { type: table.readUInt8(at + 4), startBytes: table.readUInt32LE(at + 8) * sectorBytes, sizeBytes: table.readUInt32LE(at + 12) * sectorBytes };
}
