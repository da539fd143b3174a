import { OsbuildError } from '../model/index.ts';
import type { Machine } from '../model/index.ts';
import { fatClusterBytes } from './boot-room.ts';
import { formatByteSize, parseByteSize, roundUp } from './byte-size.ts';
import { factoryIdentity, guidFrom } from './identity.ts';
import { diskDefaults, type DiskLayout } from './partition-table.ts';

const mebibyte = 1024 ** 2;
/** FAT's file sizes are numbers of 32 bits (Microsoft's FAT specification, section 6). */
const fatFileBytes = 0xffff_ffff;
/** Fewer clusters than 65525 would be FAT16 (section 3.5). */
const leastBytes = 80 * mebibyte;

/** The label of a flasher's only partition. */
export const flasherLabel = 'MINKE-FLASH';

/** Name from which a flasher's own identifiers are made: they must not be those of the image that it writes. */
export const flasherIdentity = (machineName: string): string => `${machineName}/flasher`;

/**
 * Room for the files of a flasher's partition, with the tables of the file system.
 * @throws OSB_IMAGE_TOO_LARGE for a file that FAT cannot hold
 */
export function flasherRoomBytes(sizes: ReadonlyMap<string, number>): number {
  for (const [path, sizeBytes] of sizes) {
    if (sizeBytes > fatFileBytes) throw new OsbuildError('OSB_IMAGE_TOO_LARGE', `${path} of the flasher takes ${formatByteSize(sizeBytes)}, and a FAT file system holds no file of 4 GiB.`, { hint: 'Take packages out of the image (`osbuild size` tells what costs what).' });
  }
  const content = [...sizes.values()].reduce((sum, sizeBytes) => sum + roundUp(sizeBytes, fatClusterBytes), 0);
  // Two tables of four bytes a cluster, folders, and room for the owner's network profiles.
  return Math.max(leastBytes, content + Math.ceil(content / fatClusterBytes) * 8 + 4 * mebibyte);
}

/** The disk of a flasher: one partition, behind the same room for boot areas that the image's has. */
export function flasherLayout(machineName: string, disk: Machine['disk'], bootBytes: number): DiskLayout {
  const name = flasherIdentity(machineName);
  const align = parseByteSize(disk.sectorAlignment ?? diskDefaults.sectorAlignment);
  const sizeBytes = roundUp(bootBytes, align);
  const { diskGuid, diskSignature } = factoryIdentity(name);
  const gpt = disk.table === 'gpt';
  return {
    table: disk.table,
    sizeBytes: align + sizeBytes + (gpt ? mebibyte : 0),
    diskId: gpt ? diskGuid : diskSignature,
    partitions: [{ name: 'boot', number: 1, startBytes: align, sizeBytes, uuid: gpt ? guidFrom(`${name}/partition/boot`) : `${diskSignature}-01` }],
    extended: null,
  };
}
