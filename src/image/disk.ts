import { createHash } from 'node:crypto';
import { open, readFile, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine, PreloadedData, StepContext } from '../model/index.ts';
import { roundUp } from './byte-size.ts';
import { bmapBlockBytes, encodeBmap } from './bmap.ts';
import { eachChunk, fatUsed, readAreas, type FilledArea } from './disk-bytes.ts';
import { ext4Used, makeExt4, mergeRanges, type ByteRanges } from './ext4.ts';
import { encodeDiskTable } from './disk-table.ts';
import { factoryIdentity } from './identity.ts';
import { checkFit, partition, planPartitions, type DiskLayout, type PartitionName } from './partition-table.ts';

/** disk.json: what the disk image holds. Sizes and places in bytes. */
export interface DiskReport {
  layout: DiskLayout;
  /** Bytes that a flashing tool writes. */
  mappedBytes: number;
  contents: Array<{ partition: PartitionName; filesystem: string; usedBytes: number; sha256: string }>;
  /** What stands outside of partitions; only where the machine has such areas. `usedBytes`: of the program alone. */
  areas?: Array<{ name: string; offsetBytes: number; sizeBytes: number; usedBytes: number; sha256: string }>;
}

interface Content {
  partition: PartitionName;
  filesystem: string;
  file: string;
  used: ByteRanges;
  /** Where the file begins in its partition, when that is not at the beginning. */
  offsetBytes?: number;
  /** Of the used bytes, where it is known already. */
  sha256?: string;
}

/** Data's is that of a larger file system, since it grows; a journal cannot be larger than a part of what is there now. */
const journalMebibytes = (part: 'state' | 'data', sizeBytes: number): number => (part === 'state' ? 4 : Math.min(32, Math.floor(sizeBytes / 1024 ** 2 / 6)));

/** Room that applications have besides what they bring, until the data partition grows at the first start. */
const spareBytes = 64 * 1024 ** 2;
const bytesPerInode = 16384;

/** Bytes of a data partition that holds something from the start. */
export function dataBytes({ contentBytes, entries }: PreloadedData): number {
  // ext4's own tables take a fiftieth, its journal up to 32 MiB.
  return Math.max(roundUp(Math.ceil(contentBytes * 1.03) + 32 * 1024 ** 2 + spareBytes, 1024 ** 2), roundUp((entries + 1024) * bytesPerInode, 1024 ** 2));
}

/** The machine's disk with room for what is preloaded; a size that somebody has chosen is left alone. */
function grownDisk(disk: Machine['disk'], facts: PreloadedData | null): Machine['disk'] {
  if (facts === null || disk.data !== undefined) return disk;
  const usual = partition(planPartitions('any', disk), 'data').sizeBytes;
  return { ...disk, data: `${Math.max(usual, dataBytes(facts)) / 1024 ** 2}MiB` };
}

/** Assembles the disk image: table, boot partition, root slot A, state and data, which are empty unless something is preloaded. Slot B stays empty until the first update. */
export async function buildDisk(context: StepContext<'image/disk'>): Promise<void> {
  const { name, preloaded } = context.args;
  const facts = preloaded === true ? (JSON.parse(await readFile(context.input('dataFacts'), 'utf8')) as PreloadedData) : null;
  const layout = planPartitions(name, grownDisk(context.args.disk, facts));
  const root = context.input('root');
  const rootBytes = (await stat(root)).size;
  const tree = context.input('tree');
  const treeBytes = (await stat(tree)).size;
  const need = { needBytes: rootBytes + treeBytes, because: 'the packed root file system and its hash tree' };
  checkFit(layout, [{ name: 'rootA', ...need }, { name: 'rootB', ...need }, ...(facts === null ? [] : [{ name: 'data' as const, needBytes: dataBytes(facts), because: 'preloaded applications' }])], `machines/${name}.yaml`);
  const contents: Content[] = [
    { partition: 'boot', filesystem: 'vfat', file: context.input('boot'), used: await fatUsed(context.input('boot')) },
    { partition: 'rootA', filesystem: 'erofs', file: root, used: [{ start: 0, end: rootBytes }], sha256: context.digest('root') },
    { partition: 'rootA', filesystem: 'dm-verity', file: tree, used: [{ start: 0, end: treeBytes }], offsetBytes: rootBytes, sha256: context.digest('tree') },
  ];
  const identity = factoryIdentity(name);
  const makePartition = async (part: 'state' | 'data'): Promise<Content> => {
    const image = `${part}.ext4`;
    const uuid = part === 'state' ? identity.stateUuid : identity.dataUuid;
    const { sizeBytes } = partition(layout, part);
    await makeExt4(context, { folder: context.scratch, image, sizeBytes, label: `minke-${part}`, uuid, journalMebibytes: journalMebibytes(part, sizeBytes), ...(part === 'data' && facts !== null ? { content: { input: 'data', tree: 'dataTools' } } : {}) });
    return { partition: part, filesystem: 'ext4', file: join(context.scratch, image), used: await ext4Used(context, context.scratch, image) };
  };
  contents.push(...(await Promise.all([makePartition('state'), makePartition('data')])));
  const disk = await open(join(context.scratch, 'disk.img'), 'w+');
  try {
    await disk.truncate(layout.sizeBytes);
    const areas = readAreas(context);
    const ranges = await writeContents(context, disk, layout, contents, areas);
    // Level 9 takes some seconds more than 3, once, and a twelfth less to download and to keep (genericx86-64).
    const pack = context.tool({ argv: ['zstd', '-q', '-9', '-T0', '/scratch/disk.img', '-o', '/out/disk.img.zst'], mounts: { '/scratch': { path: context.scratch } } });
    await Promise.all([pack, describeDisk(context, layout, contents, areas, ranges)]);
  } finally {
    await disk.close();
  }
}

/** Writes the block map and disk.json. */
async function describeDisk(context: StepContext<'image/disk'>, layout: DiskLayout, contents: readonly Content[], areas: readonly FilledArea[], ranges: ByteRanges): Promise<void> {
  const image = join(context.scratch, 'disk.img');
  const report: DiskReport = { layout, mappedBytes: ranges.reduce((sum, { start, end }) => sum + end - start, 0), contents: [] };
  const known = new Map<string, string>();
  for (const { partition: name, filesystem, used, offsetBytes = 0, ...content } of contents) {
    const at = partition(layout, name).startBytes + offsetBytes;
    const moved = used.map(({ start, end }) => ({ start: start + at, end: end + at }));
    const sha256 = content.sha256 ?? (await context.sha256(image, moved));
    report.contents.push({ partition: name, filesystem, usedBytes: moved.reduce((sum, { start, end }) => sum + end - start, 0), sha256 });
    const [only] = moved;
    if (only && moved.length === 1) known.set(`${only.start}-${only.end}`, sha256);
  }
  if (areas.length > 0) {
    report.areas = areas.map(({ bytes, usedBytes, area: { name, offsetBytes, sizeBytes } }) => ({ name, offsetBytes, sizeBytes, usedBytes, sha256: createHash('sha256').update(bytes).digest('hex') }));
  }
  const mapped = await Promise.all(ranges.map(async (range) => ({ ...range, sha256: known.get(`${range.start}-${range.end}`) ?? (await context.sha256(image, [range])) })));
  await writeFile(context.output('disk.bmap'), encodeBmap({ imageBytes: layout.sizeBytes, ranges: mapped }));
  await writeFile(context.output('disk.json'), `${JSON.stringify(report, null, 2)}\n`);
}

/** Writes everything to its place and returns the ranges that were written, in whole blocks. */
async function writeContents(context: StepContext<'image/disk'>, disk: FileHandle, layout: DiskLayout, contents: readonly Content[], areas: readonly FilledArea[]): Promise<ByteRanges> {
  const written: ByteRanges = [];
  for (const { area, bytes } of areas) {
    await disk.write(bytes, 0, bytes.length, area.offsetBytes);
    written.push({ start: area.offsetBytes, end: area.offsetBytes + bytes.length });
  }
  for (const { offset, bytes } of encodeDiskTable(layout, context.args.areas?.osip)) {
    await disk.write(bytes, 0, bytes.length, offset);
    written.push({ start: offset, end: offset + bytes.length });
  }
  // The first blocks of slot B are written as zeros: a disk that is flashed again must not keep the start of an old root.
  const { startBytes } = partition(layout, 'rootB');
  written.push({ start: startBytes, end: startBytes + 64 * 1024 });
  const totalBytes = contents.reduce((sum, { used }) => sum + used.reduce((part, { start, end }) => part + end - start, 0), 0);
  let doneBytes = 0;
  for (const { partition: name, file, used, offsetBytes = 0 } of contents) {
    const at = partition(layout, name).startBytes + offsetBytes;
    const source = await open(file, 'r');
    try {
      for (const range of used) {
        await eachChunk(source, range, async (chunk, position) => {
          await disk.write(chunk, 0, chunk.length, at + position);
          doneBytes += chunk.length;
          context.progress(doneBytes, totalBytes, 'bytes');
        });
        written.push({ start: at + range.start, end: at + range.end });
      }
    } finally {
      await source.close();
    }
  }
  return mergeRanges(written, bmapBlockBytes).map(({ start, end }) => ({ start, end: Math.min(end, layout.sizeBytes) }));
}
