import { constants } from 'node:fs';
import { chmod, chown, copyFile, mkdtemp, open, readFile, rename, rm, stat, utimes, writeFile, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { diskError, temporaryName } from '../cache/index.ts';
import { listPartitions, type PartitionRange } from '../device/disk-partitions.ts';
import { unpackImage } from '../device/disk-copy.ts';
import type { ToolsTree } from '../device/index.ts';
import { openImage } from '../flash/index.ts';
import { OsbuildError } from '../model/index.ts';
import { mapAgain, sumsWith } from './papers.ts';

/** What images are read and written with. */
export interface ImageTools {
  /** With mtools, dosfstools and zstd. */
  tree: ToolsTree;
  /** Folder for what is made on the way. */
  work: string;
  /** Of files that are put into images, in seconds: the same change makes the same bytes. */
  epoch: number;
}

/** The boot partition of an image, taken out of it. */
interface BootPartition extends PartitionRange {
  file: string;
}

const blockBytes = 4096;
/** Partition tables stand before this place, and no partition does. */
const headBytes = 1024 * 1024;

/** A file of an image's boot partition; null when it is not there. @throws OSB_USAGE for what is no image of ours */
export async function readFromImage(image: string, name: string, tools: ImageTools): Promise<string | null> {
  return inFolder(tools, async (folder) => readFrom(await takeBoot(image, folder), name, tools));
}

/**
 * Puts a file into an image's boot partition. The image is written anew beside the old one and takes its place when it is whole, and so do the block map and SHA256SUMS that stand beside it.
 * Resolves with the files that were changed; none where the file says so already.
 * @throws OSB_USAGE, OSB_DISK_FULL
 */
export async function replaceInImage(image: string, name: string, content: string, tools: ImageTools): Promise<string[]> {
  return inFolder(tools, async (folder) => {
    const boot = await takeBoot(image, folder);
    if ((await readFrom(boot, name, tools)) === content) return [];
    const before = join(folder, 'before.img');
    await copyFile(boot.file, before, constants.COPYFILE_FICLONE);
    await writeTo(boot, name, content, folder, tools);
    const disk = join(folder, 'disk.img');
    await unpackImage(image, disk, tools.tree);
    await writeChanges(before, boot, disk);
    const packed = temporaryName(image);
    const written: [temporary: string, path: string][] = [[packed, image]];
    try {
      await pack(disk, packed, image.endsWith('.zst'), tools.tree);
      for (const [path, text] of await papers(image, packed, disk, boot)) {
        written.push([temporaryName(path), path]);
        await writeFile(written.at(-1)?.[0] ?? '', text);
      }
      for (const [temporary, path] of written) await settle(temporary, path);
      for (const [temporary, path] of written) await rename(temporary, path);
    } catch (error) {
      throw diskError(error, image);
    } finally {
      for (const [temporary] of written) await rm(temporary, { force: true });
    }
    return written.map(([, path]) => path);
  });
}

async function inFolder<T>({ work }: ImageTools, action: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(work, 'image-'));
  try {
    return await action(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Reads an image as far as its first partition goes, which is the one that loaders and people read. */
async function takeBoot(image: string, folder: string): Promise<BootPartition> {
  const unfit = (why: string): OsbuildError => new OsbuildError('OSB_USAGE', `${image} ${why}`, { hint: 'a disk image that `osbuild image` made: .img.zst, or .img' });
  const headFile = join(folder, 'head.img');
  const [head, boot] = [await open(headFile, 'w+'), await open(join(folder, 'boot.img'), 'w')];
  try {
    let at = 0;
    let range: PartitionRange | undefined;
    let waiting: { start: number; chunk: Uint8Array }[] = [];
    for await (const chunk of openImage(image)) {
      waiting.push({ start: at, chunk });
      if (at < headBytes) await head.write(chunk, 0, chunk.length, at);
      at += chunk.length;
      if (at < headBytes) continue;
      range ??= await firstPartition(head, unfit);
      for (const part of waiting) await writeRange(boot, part, range);
      waiting = [];
      if (at >= range.startBytes + range.sizeBytes) break;
    }
    if (range === undefined || at < range.startBytes + range.sizeBytes) throw unfit('ends before its boot partition does');
    return { ...range, file: join(folder, 'boot.img') };
  } finally {
    await head.close();
    await boot.close();
  }
}

async function firstPartition(head: FileHandle, unfit: (why: string) => OsbuildError): Promise<PartitionRange> {
  const [first] = await listPartitions(head).catch(() => []);
  if (first === undefined) throw unfit('has no partition table');
  return first;
}

/** Of a chunk what belongs to a range; zeros stay holes. */
async function writeRange(file: FileHandle, { start, chunk }: { start: number; chunk: Uint8Array }, { startBytes, sizeBytes }: PartitionRange): Promise<void> {
  const from = Math.max(start, startBytes);
  const to = Math.min(start + chunk.length, startBytes + sizeBytes);
  if (from < to) await file.write(chunk, from - start, to - from, from - startBytes);
}

/** mtools warns of sizes that it would have chosen otherwise. */
const mtools = ['env', 'MTOOLS_SKIP_CHECK=1'];

async function readFrom({ file }: BootPartition, name: string, { tree }: ImageTools): Promise<string | null> {
  const folder = dirname(file);
  const mounts = { '/boot': { path: folder, rw: true } };
  const inside = `/boot/${basename(file)}`;
  let names: string;
  try {
    names = await tree.run({ argv: [...mtools, 'mdir', '-b', '-i', inside, '::/'], mounts, name: 'list-boot' });
  } catch (cause) {
    throw new OsbuildError('OSB_USAGE', 'the first partition of the image is not FAT', { hint: 'a disk image that `osbuild image` made: .img.zst, or .img', cause });
  }
  if (!names.split('\n').some((line) => line.trim().toLowerCase() === `::/${name}`)) return null;
  await tree.run({ argv: [...mtools, 'mcopy', '-n', '-o', '-i', inside, `::/${name}`, '/boot/read'], mounts, name: 'read-boot' });
  return readFile(join(folder, 'read'), 'utf8');
}

async function writeTo({ file }: BootPartition, name: string, content: string, folder: string, { tree, epoch }: ImageTools): Promise<void> {
  const own = join(folder, 'new');
  await writeFile(own, content);
  await utimes(own, epoch, epoch);
  const mounts = { '/boot': { path: folder, rw: true } };
  try {
    await tree.run({ argv: [...mtools, 'mcopy', '-m', '-n', '-o', '-i', `/boot/${basename(file)}`, '/boot/new', `::/${name}`], mounts, name: 'write-boot' });
  } catch (cause) {
    throw new OsbuildError('OSB_COMMAND_FAILED', `${name} cannot be written to the image’s boot partition: ${(cause as Error).message}`, { cause });
  }
  // As when the image was made: mtools miscounts free clusters. 1: something was corrected.
  await tree.run({ argv: ['sh', '-c', 'fsck.fat -a "$1"; [ $? -le 1 ]', 'sh', `/boot/${basename(file)}`], mounts, name: 'check-boot' });
}

/** Writes the blocks of the boot partition that have changed to their place on the disk. */
async function writeChanges(before: string, boot: BootPartition, disk: string): Promise<void> {
  const [old, now, target] = [await open(before), await open(boot.file), await open(disk, 'r+')];
  try {
    const [one, other] = [Buffer.alloc(headBytes), Buffer.alloc(headBytes)];
    for (let at = 0; at < boot.sizeBytes; at += headBytes) {
      const length = Math.min(headBytes, boot.sizeBytes - at);
      await old.read(one, 0, length, at);
      await now.read(other, 0, length, at);
      if (one.subarray(0, length).equals(other.subarray(0, length))) continue;
      for (let block = 0; block < length; block += blockBytes) {
        const end = Math.min(block + blockBytes, length);
        if (!one.subarray(block, end).equals(other.subarray(block, end))) await target.write(other, block, end - block, boot.startBytes + at + block);
      }
    }
  } finally {
    for (const file of [old, now, target]) await file.close();
  }
}

async function pack(disk: string, to: string, compressed: boolean, tree: ToolsTree): Promise<void> {
  const mounts = { '/disk': { path: dirname(disk), rw: false }, '/image': { path: dirname(to), rw: true } };
  const [source, target] = [`/disk/${basename(disk)}`, `/image/${basename(to)}`];
  await tree.run({ argv: compressed ? ['zstd', '-q', '-3', '-T0', '--no-progress', source, '-o', target] : ['cp', '--sparse=always', source, target], mounts, name: 'pack' });
}

/** The texts that stand beside the image and speak of its bytes, as they have to be now. */
async function papers(image: string, packed: string, disk: string, boot: PartitionRange): Promise<[path: string, text: string][]> {
  const map = `${image.replace(/(\.img)?(\.zst)?$/, '')}.bmap`;
  const sums = join(dirname(image), 'SHA256SUMS');
  const found: [string, string][] = [];
  const before = await readFile(map, 'utf8').catch(() => null);
  if (before !== null) found.push([map, await mapAgain(before, disk, boot)]);
  const listed = await readFile(sums, 'utf8').catch(() => null);
  if (listed !== null) {
    const text = await sumsWith(listed, [[basename(image), { file: packed }], ...found.map(([path, content]): [string, { text: string }] => [basename(path), { text: content }])]);
    if (text !== listed) found.push([sums, text]);
  }
  return found;
}

/** Written to the disk, and as accessible as what it takes the place of. */
async function settle(temporary: string, path: string): Promise<void> {
  const { mode, uid, gid } = await stat(path);
  await chmod(temporary, mode & 0o7777);
  await chown(temporary, uid, gid).catch(() => undefined); // for those who may
  const file = await open(temporary, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
