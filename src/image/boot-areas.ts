import { OsbuildError } from '../model/index.ts';
import { bootLoaderOrigin, filesPackage, type DiskAreas, type Machine } from '../model/index.ts';
import { formatByteSize } from './byte-size.ts';
import { osipImage } from './osip.ts';
import { sectorBytes, type DiskLayout } from './partition-table.ts';

/** A range of the disk outside of all partitions that the board's boot ROM or boot loader reads. Bytes. */
export interface BootArea {
  name: string;
  /** Program inside the boot loader's package; null where zeros are written. */
  file: string | null;
  offsetBytes: number;
  sizeBytes: number;
  /** What the program is of, where that is not the boot loader's package. */
  package?: string;
}

/** Areas of a machine in the order of the disk. */
export function bootAreas(boot: Machine['boot']): BootArea[] {
  const areas = boot.method === 'u-boot' ? (boot.areas ?? []) : [];
  return areas.map(({ name, file, download, offsetBytes, sizeBytes }) => ({ name, file: file ?? download ?? null, offsetBytes, sizeBytes, ...(download === undefined ? {} : { package: filesPackage }) })).toSorted((a, b) => a.offsetBytes - b.offsetBytes);
}

/**
 * What a disk of the machine holds outside of its partitions; nothing for most machines.
 * @throws OSB_CONFIG_INVALID for areas that overlap, or a table that names none of them
 */
export function diskAreas(boot: Machine['boot'], layout: DiskLayout, machineFile: string): { areas?: DiskAreas } {
  const areas = bootAreas(boot);
  checkBootAreas(layout, areas, machineFile);
  if (areas.length === 0) return {};
  const osip = osipImage(boot, areas, machineFile);
  return { areas: { package: bootLoaderOrigin(boot).package, areas, ...(osip === null ? {} : { osip }) } };
}

/**
 * Refuses areas that the partition table, a partition or another area would overwrite.
 * @throws OSB_CONFIG_INVALID naming both sides of the first overlap
 */
export function checkBootAreas(layout: DiskLayout, areas: readonly BootArea[], machineFile: string): void {
  const invalid = (message: string, hint: string): OsbuildError => new OsbuildError('OSB_CONFIG_INVALID', `${machineFile}: boot.areas: ${message}`, { hint });
  for (const { name, offsetBytes, sizeBytes } of areas) {
    if (offsetBytes % sectorBytes !== 0 || sizeBytes % sectorBytes !== 0) throw invalid(`${name} does not begin and end with a sector`, `offsetBytes and sizeBytes are multiples of ${sectorBytes}`);
  }
  const [first] = layout.partitions.toSorted((a, b) => a.startBytes - b.startBytes);
  const taken = [
    { name: `the ${layout.table.toUpperCase()} partition table`, start: 0, end: tableBytes(layout.table) },
    ...areas.map(({ name, offsetBytes, sizeBytes }) => ({ name, start: offsetBytes, end: offsetBytes + sizeBytes })),
    ...(first === undefined ? [] : [{ name: `partition ${first.name}`, start: first.startBytes, end: layout.sizeBytes }]),
  ].toSorted((a, b) => a.start - b.start || a.end - b.end);
  for (const [index, one] of taken.entries()) {
    const next = taken[index + 1];
    if (next === undefined || one.end <= next.start) continue;
    const hint = layout.table === 'gpt' && one.start === 0 ? 'a table of the kind mbr takes the first sector only (disk.table)' : 'less sizeBytes, or a larger disk.sectorAlignment to move the first partition';
    throw invalid(`${next.name} begins at ${next.start}, inside ${one.name}, which ends at ${one.end}`, hint);
  }
}

/** GPT: protective MBR, header, 128 entries of 128 bytes (UEFI specification 2.10, 5.3.1). */
const tableBytes = (table: DiskLayout['table']): number => (table === 'gpt' ? 34 : 1) * sectorBytes;

/** The bytes of an area: its program and zeros behind it, so that nothing of an earlier image stays on a disk that is written again. */
export function fillBootArea(area: BootArea, program: Buffer | null, machineFile: string): Buffer {
  const bytes = Buffer.alloc(area.sizeBytes);
  if (program === null) return bytes;
  if (program.length > area.sizeBytes) {
    throw new OsbuildError('OSB_IMAGE_TOO_LARGE', `${area.file} takes ${formatByteSize(program.length)}, but the boot area ${area.name} has ${formatByteSize(area.sizeBytes)}.`, {
      hint: `Set its sizeBytes in ${machineFile} to ${Math.ceil(program.length / sectorBytes) * sectorBytes} or more, as far as the next area allows.`,
    });
  }
  program.copy(bytes);
  return bytes;
}
