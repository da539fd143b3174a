import { OsbuildError } from '../model/index.ts';
import type { Machine } from '../model/index.ts';
import { formatByteSize, parseByteSize, roundUp } from './byte-size.ts';
import { factoryIdentity, guidFrom } from './identity.ts';

export type PartitionName = 'boot' | 'rootA' | 'rootB' | 'state' | 'data';

export interface Partition {
  name: PartitionName;
  /** As the kernel counts it: 1–5 on GPT; on MBR state and data are the logical partitions 5 and 6. */
  number: number;
  startBytes: number;
  sizeBytes: number;
  /** Partition GUID of GPT; on MBR what the kernel makes up: `<disk signature>-<number>`. */
  uuid: string;
}

/** Where everything stands on a disk image. Bytes from its start; all of them multiples of the sector size. */
export interface DiskLayout {
  table: 'gpt' | 'mbr';
  sizeBytes: number;
  diskId: string;
  partitions: Partition[];
  /** MBR only: the extended partition, number 4, that holds state and data. */
  extended: { startBytes: number; sizeBytes: number } | null;
}

export const sectorBytes = 512;
export const partitionNames: readonly PartitionName[] = ['boot', 'rootA', 'rootB', 'state', 'data'];
export const diskDefaults = { boot: '96MiB', root: '320MiB', state: '64MiB', data: '192MiB', sectorAlignment: '4MiB' };
/** Backup table of GPT: 33 sectors, in a whole alignment unit so that the image's size stays round. */
const mebibyte = 1024 ** 2;

/** Lays out a machine's disk. The order and the numbers never change: devices in the field keep them through updates. */
export function planPartitions(machineName: string, disk: Machine['disk']): DiskLayout {
  const sizes = { ...diskDefaults, ...disk };
  const align = parseByteSize(sizes.sectorAlignment);
  const wanted: Record<PartitionName, number> = {
    boot: parseByteSize(sizes.boot),
    rootA: parseByteSize(sizes.root),
    rootB: parseByteSize(sizes.root),
    state: parseByteSize(sizes.state),
    data: parseByteSize(sizes.data),
  };
  const identity = factoryIdentity(machineName);
  const logical = (name: PartitionName): boolean => disk.table === 'mbr' && (name === 'state' || name === 'data');
  let at = align;
  let extendedStart = 0;
  const partitions = partitionNames.map((name, index): Partition => {
    // A logical partition is preceded by the sector that describes it; a whole alignment unit keeps it aligned.
    if (logical(name)) {
      if (extendedStart === 0) extendedStart = at;
      at += align;
    }
    const number = logical(name) ? index + 2 : index + 1;
    const uuid = disk.table === 'gpt' ? guidFrom(`${machineName}/partition/${name}`) : `${identity.diskSignature}-${String(number).padStart(2, '0')}`;
    const partition = { name, number, startBytes: at, sizeBytes: roundUp(wanted[name], align), uuid };
    at += partition.sizeBytes;
    return partition;
  });
  return {
    table: disk.table,
    sizeBytes: disk.table === 'gpt' ? at + mebibyte : at,
    diskId: disk.table === 'gpt' ? identity.diskGuid : identity.diskSignature,
    partitions,
    extended: disk.table === 'mbr' ? { startBytes: extendedStart, sizeBytes: at - extendedStart } : null,
  };
}

export function partition(layout: DiskLayout, name: PartitionName): Partition {
  const found = layout.partitions.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no partition ${name}`);
  return found;
}

/** What a partition must hold, in bytes, and what that is made of, for the message. */
export interface PartitionNeed {
  name: PartitionName;
  needBytes: number;
  because: string;
}

/**
 * Throws OSB_IMAGE_TOO_LARGE naming every partition whose content does not fit, by how much, and the key to change.
 * @param machineFile for the hint
 */
export function checkFit(layout: DiskLayout, needs: readonly PartitionNeed[], machineFile: string): void {
  const over = needs.flatMap(({ name, needBytes, because }) => {
    const { sizeBytes } = partition(layout, name);
    return needBytes > sizeBytes ? [{ partition: name, sizeBytes, needBytes, overBytes: needBytes - sizeBytes, because }] : [];
  });
  if (over.length === 0) return;
  const lines = over.map(
    (one) => `${one.partition} holds ${formatByteSize(one.sizeBytes)} but needs ${formatByteSize(one.needBytes)}, ${formatByteSize(one.overBytes)} too much (${one.because})`,
  );
  const keys = [...new Set(over.map((one) => (one.partition.startsWith('root') ? 'root' : one.partition)))];
  const values = keys.map((key) => {
    const most = Math.max(...over.filter((one) => one.partition.startsWith(key)).map((one) => one.needBytes));
    return `disk.${key}: ${Math.ceil(roundUp(most, 16 * mebibyte) / mebibyte)}MiB`;
  });
  throw new OsbuildError('OSB_IMAGE_TOO_LARGE', `The image does not fit its partitions: ${lines.join('; ')}.`, {
    hint: `Take packages or kernel modules out (\`osbuild size\` tells what costs what), or set ${values.join(' and ')} in ${machineFile}.`,
    details: { partitions: over },
  });
}
