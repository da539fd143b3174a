import { crc32 } from 'node:zlib';
import { sectorBytes, type DiskLayout } from './partition-table.ts';

/** Bytes to be written at a place of the disk. */
export interface DiskWrite {
  offset: number;
  bytes: Buffer;
}

/** UEFI specification 2.10, section 5.3.3 and table 5.7; the second is the "Linux filesystem data" of everyone. */
const systemPartition = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
const linuxData = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';

const entryCount = 128;
const entryBytes = 128;
const entrySectors = (entryCount * entryBytes) / sectorBytes;
const headerBytes = 92;

/** Protective MBR, primary and backup table. */
export function encodeGpt(layout: DiskLayout): DiskWrite[] {
  const lastSector = layout.sizeBytes / sectorBytes - 1;
  const entries = Buffer.alloc(entryCount * entryBytes);
  layout.partitions.forEach((partition, index) => {
    const at = index * entryBytes;
    const type = partition.name === 'boot' ? systemPartition : linuxData;
    entries.set(guidBytes(type), at);
    entries.set(guidBytes(partition.uuid), at + 16);
    entries.writeBigUInt64LE(BigInt(partition.startBytes / sectorBytes), at + 32);
    entries.writeBigUInt64LE(BigInt((partition.startBytes + partition.sizeBytes) / sectorBytes - 1), at + 40);
    entries.write(partition.name, at + 56, 'utf16le');
  });
  const header = (own: number, other: number, entriesAt: number): Buffer => {
    const bytes = Buffer.alloc(sectorBytes);
    bytes.write('EFI PART', 0, 'latin1');
    bytes.writeUInt32LE(0x0001_0000, 8);
    bytes.writeUInt32LE(headerBytes, 12);
    bytes.writeBigUInt64LE(BigInt(own), 24);
    bytes.writeBigUInt64LE(BigInt(other), 32);
    bytes.writeBigUInt64LE(BigInt(2 + entrySectors), 40);
    bytes.writeBigUInt64LE(BigInt(lastSector - entrySectors - 1), 48);
    bytes.set(guidBytes(layout.diskId), 56);
    bytes.writeBigUInt64LE(BigInt(entriesAt), 72);
    bytes.writeUInt32LE(entryCount, 80);
    bytes.writeUInt32LE(entryBytes, 84);
    bytes.writeUInt32LE(crc32(entries), 88);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, headerBytes)), 16);
    return bytes;
  };
  const backupEntries = lastSector - entrySectors;
  return [
    { offset: 0, bytes: protectiveMbr(lastSector) },
    { offset: sectorBytes, bytes: header(1, lastSector, 2) },
    { offset: 2 * sectorBytes, bytes: entries },
    { offset: backupEntries * sectorBytes, bytes: entries },
    { offset: lastSector * sectorBytes, bytes: header(lastSector, 1, backupEntries) },
  ];
}

function protectiveMbr(lastSector: number): Buffer {
  const bytes = Buffer.alloc(sectorBytes);
  bytes.set([0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff], 446);
  bytes.writeUInt32LE(1, 454);
  bytes.writeUInt32LE(Math.min(lastSector, 0xffff_ffff), 458);
  bytes.writeUInt16BE(0x55aa, 510);
  return bytes;
}

/** The first three fields of a GUID are little-endian on disk, the last two as written (UEFI appendix A). */
function guidBytes(guid: string): Buffer {
  const [a = '', b = '', c = '', ...rest] = guid.split('-');
  return Buffer.concat([...[a, b, c].map((field) => Buffer.from(field, 'hex').toReversed()), Buffer.from(rest.join(''), 'hex')]);
}
