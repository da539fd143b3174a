import { createHash } from 'node:crypto';
import { mkdir, open, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { StepContext } from '../model/index.ts';
import { bmapBlockBytes, decodeBmap, encodeBmap } from './bmap.ts';
import { layOutBootFolder } from './boot-folder.ts';
import { eachChunk, fatUsed, readAreas } from './disk-bytes.ts';
import type { DiskReport } from './disk.ts';
import { mergeRanges, type ByteRanges } from './ext4.ts';
import { makeFat } from './fat.ts';
import { flasherIdentity, flasherLabel, flasherLayout, flasherRoomBytes } from './flasher-layout.ts';
import { flasherPayload, payloadNumbers, pieceList, type FlasherPiece } from './flasher-payload.ts';
import { encodeDiskTable } from './disk-table.ts';
import { factoryIdentity } from './identity.ts';
import { partition, type DiskLayout } from './partition-table.ts';

/** flasher.json: what a flasher is and what it asks of a board. Sizes in bytes. */
export interface FlasherReport {
  version: 1;
  machine: string;
  file: string;
  sha256: string;
  sizeBytes: number;
  compressedBytes: number;
  /** The image that it writes: of img.zst its digest; the disk must have `sizeBytes`; `writtenBytes` of it are written. */
  image: { sha256: string; sizeBytes: number; writtenBytes: number };
  /** Patterns of the disks that it may write without being told. */
  disks: string[];
  instructions: string[];
}

type Context = StepContext<'image/flasher'>;

/** Makes the medium: kernel and boot loader of the machine, the flasher's initrd, and the image as pieces with their digests. */
export async function buildFlasher(context: Context): Promise<void> {
  const { args, epoch } = context;
  const { name, machine, imageName } = args;
  const folder = join(context.scratch, 'boot');
  const sizes = await layOutBootFolder(context, { ...args, epoch }, folder);
  const payload = await layOutPayload(context, folder);
  const texts = { 'flasher.conf': flasherConf, 'system-connections/README.txt': connectionsText };
  for (const [path, text] of Object.entries(texts)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  for (const path of [...payload.files, ...Object.keys(texts)]) sizes.set(path, (await stat(join(folder, path))).size);

  const layout = flasherLayout(name, machine.disk, flasherRoomBytes(sizes));
  const image = join(context.scratch, 'boot.vfat');
  await writeFile(image, '');
  const handle = await open(image, 'r+');
  await handle.truncate(partition(layout, 'boot').sizeBytes);
  await handle.close();
  const { bootVolumeId } = factoryIdentity(flasherIdentity(name));
  await makeFat(context, { image: '/tmp/boot.vfat', folder, files: [...sizes.keys()], label: flasherLabel, volumeId: bootVolumeId });

  const ranges = await assemble(context, layout, image);
  const disk = join(context.scratch, 'flasher.img');
  const [, mapped] = await Promise.all([
    context.tool({ argv: ['zstd', '-q', '-3', '-T0', '/tmp/flasher.img', '-o', '/out/flasher.img.zst'] }),
    Promise.all(ranges.map(async (range) => ({ ...range, sha256: await context.sha256(disk, [range]) }))),
  ]);
  const packed = context.output('flasher.img.zst');
  const file = `${imageName}.img.zst`;
  const report: FlasherReport = {
    version: 1,
    machine: name,
    file,
    sha256: await context.sha256(packed),
    sizeBytes: layout.sizeBytes,
    compressedBytes: (await stat(packed)).size,
    image: payload.image,
    disks: args.disks,
    instructions: instructions(file),
  };
  const bmap = encodeBmap({ imageBytes: layout.sizeBytes, ranges: mapped });
  const json = `${JSON.stringify(report, null, 2)}\n`;
  await writeFile(context.output('flasher.bmap'), bmap);
  await writeFile(context.output('flasher.json'), json);
  const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
  const sums = [`${report.sha256}  ${file}`, `${digest(bmap)}  ${imageName}.bmap`, `${digest(json)}  ${imageName}.json`];
  await writeFile(context.output('SHA256SUMS'), sums.map((line) => `${line}\n`).join(''));
}

const flasherConf = [
  '# Read by the flasher alone. Which disk it writes, where the board has more than one of its own, or another one is wanted: its name, or',
  '# a pattern (with a slash: of its path below /sys/devices). Without it: the only disk that is the board\'s own.',
  '#disk=nvme0n1',
  '',
].join('\n');

const connectionsText = [
  'Profiles of NetworkManager in this folder (name.nmconnection) and config.json beside it are taken over',
  'to the disk that the flasher writes.',
  '',
].join('\n');

const instructions = (file: string): string[] => [
  `Write ${file} to a USB stick or SD card: \`bmaptool copy ${file} <device>\`, or decompress it with zstd and copy it with dd.`,
  'Optional: edit config.json, and put profiles of NetworkManager into system-connections, on the partition labelled MINKE-FLASH.',
  'Start the board from it. It writes its own disk, reads it back and switches itself off; a message on its consoles says so, or what failed.',
  'Take the medium out before the board is switched on again: it would write the disk once more.',
];

/** Puts the image into `flasher/` of the folder: its pieces one after the other, and lists of where each goes. */
async function layOutPayload(context: Context, folder: string): Promise<{ files: string[]; image: FlasherReport['image'] }> {
  await context.tool({ argv: ['zstd', '-q', '-d', '--sparse', '/in/image', '-o', '/tmp/disk.img'] });
  const disk = join(context.scratch, 'disk.img');
  const { layout } = JSON.parse(await readFile(context.input('layout'), 'utf8')) as DiskReport;
  const payload = flasherPayload(decodeBmap(await readFile(context.input('bmap'), 'utf8')).ranges, layout);
  await mkdir(join(folder, 'flasher'), { recursive: true });
  const files: string[] = [];
  const add = async (name: string, text: string): Promise<void> => {
    await writeFile(join(folder, 'flasher', name), text);
    files.push(`flasher/${name}`);
  };
  await add('numbers', payloadNumbers(layout));
  let writtenBytes = 0;
  for (const part of ['content', 'table'] as const) {
    const pieces = payload[part];
    await concatenate(disk, pieces, join(folder, 'flasher', part));
    files.push(`flasher/${part}`);
    const digests = await Promise.all(pieces.map(async (piece) => ({ ...piece, sha256: await context.sha256(disk, [{ start: piece.startBytes, end: piece.startBytes + piece.sizeBytes }]) })));
    await add(`${part}.list`, pieceList(digests));
    writtenBytes += pieces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }
  const sums = await Promise.all(files.map(async (path) => `${await context.sha256(join(folder, path))}  ${path.slice('flasher/'.length)}\n`));
  await add('SHA256SUMS', sums.join(''));
  return { files, image: { sha256: context.digest('image'), sizeBytes: layout.sizeBytes, writtenBytes } };
}

/** Writes pieces of a file one after the other into a new one. */
async function concatenate(from: string, pieces: readonly FlasherPiece[], to: string): Promise<void> {
  const [source, target] = [await open(from, 'r'), await open(to, 'w')];
  try {
    for (const { startBytes, sizeBytes } of pieces) {
      await eachChunk(source, { start: startBytes, end: startBytes + sizeBytes }, async (chunk) => void (await target.writeFile(chunk)));
    }
  } finally {
    await source.close();
    await target.close();
  }
}

/** Puts table, boot areas and the partition into flasher.img; returns the ranges that were written, in whole blocks. */
async function assemble(context: Context, layout: DiskLayout, bootImage: string): Promise<ByteRanges> {
  const disk = await open(join(context.scratch, 'flasher.img'), 'w');
  const boot = await open(bootImage, 'r');
  const written: ByteRanges = [];
  const write = async (bytes: Buffer, offset: number): Promise<void> => {
    await disk.write(bytes, 0, bytes.length, offset);
    written.push({ start: offset, end: offset + bytes.length });
  };
  try {
    await disk.truncate(layout.sizeBytes);
    for (const { area, bytes } of readAreas(context)) await write(bytes, area.offsetBytes);
    for (const { offset, bytes } of encodeDiskTable(layout, context.args.areas?.osip)) await write(bytes, offset);
    const at = partition(layout, 'boot').startBytes;
    for (const range of await fatUsed(bootImage)) await eachChunk(boot, range, (chunk, position) => write(chunk, at + position));
  } finally {
    await boot.close();
    await disk.close();
  }
  return mergeRanges(written, bmapBlockBytes);
}
