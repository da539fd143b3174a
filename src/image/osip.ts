import { OsbuildError, type DiskAreas, type Machine } from '../model/index.ts';
import { sectorBytes } from './partition-table.ts';

/** What the table names. Bytes of the disk, and addresses in memory. */
export type OsipImage = NonNullable<DiskAreas['osip']>;

/** The first sector up to the disk's signature: what the table may fill, under a GPT too (its protective MBR). */
export const bootCodeBytes = 440;

const headerBytes = 32;
const descriptorBytes = 24;

/**
 * The table by which the firmware of Intel's chips for phones finds what it starts ("OS image profile"): the first sector's boot code.
 * Layout: edison-fw/meta-intel-edison, meta-intel-edison-bsp/recipes-bsp/u-boot/u-boot-osip.inc, which gives the C structure, the
 * offsets and the sum.
 */
export function osipTable({ startBytes, sizeBytes, loadAddress, entryAddress }: OsipImage): Buffer {
  const used = headerBytes + descriptorBytes;
  const bytes = Buffer.alloc(bootCodeBytes, 0xff);
  bytes.fill(0, 0, used);
  bytes.write('$OS$', 0, 'latin1');
  bytes[6] = 1; // version 1.0
  bytes[8] = 1; // pointers
  bytes[9] = 1; // images
  bytes.writeUInt16LE(used, 10);
  bytes.writeUInt32LE(startBytes / sectorBytes, 0x24);
  bytes.writeUInt32LE(loadAddress, 0x28);
  bytes.writeUInt32LE(entryAddress, 0x2c);
  bytes.writeUInt32LE(sizeBytes / sectorBytes, 0x30);
  bytes[0x34] = 0x0f; // attribute: of the stock board's table
  // All bytes in use, this one with them, come out as zero.
  bytes[7] = bytes.subarray(0, used).reduce((sum, byte) => sum ^ byte, 0);
  return bytes;
}

/**
 * What a machine's table points at; null where it has none.
 * @throws OSB_CONFIG_INVALID where it names no boot area with a program, or is entered outside of what it loads
 */
export function osipImage(boot: Machine['boot'], areas: DiskAreas['areas'], machineFile: string): OsipImage | null {
  if (boot.method !== 'u-boot' || boot.osip === undefined) return null;
  const { area: name, sizeBytes } = boot.osip;
  const invalid = (message: string, hint: string): OsbuildError => new OsbuildError('OSB_CONFIG_INVALID', `${machineFile}: boot.osip: ${message}`, { hint });
  const area = areas.find((one) => one.name === name && one.file !== null);
  if (area === undefined) throw invalid(`there is no area ${name} that holds a program`, `areas: ${areas.map((one) => one.name).join(', ')}`);
  if (sizeBytes % sectorBytes !== 0) throw invalid('sizeBytes is no whole number of sectors', `a multiple of ${sectorBytes}`);
  const [loadAddress, entryAddress] = [Number(boot.osip.loadAddress), Number(boot.osip.entryAddress)];
  if (entryAddress < loadAddress || entryAddress >= loadAddress + sizeBytes) throw invalid('entryAddress is outside of what is loaded', `loadAddress and the ${sizeBytes} bytes behind it`);
  return { startBytes: area.offsetBytes, sizeBytes, loadAddress, entryAddress };
}
