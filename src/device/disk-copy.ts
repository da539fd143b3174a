import { mkdir, open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { OsbuildError, type DeviceConfig, type Machine } from '../model/index.ts';
import { readPartitions, type DiskPartitions } from './disk-partitions.ts';
import type { ToolsTree } from './tools-tree.ts';

/** A private copy of an image for one run. The image that was shipped is only read. */
export interface DiskCopy {
  path: string;
  /** As shipped: data grows later. */
  partitions: DiskPartitions;
  sizeBytes: number;
}

/** What is needed of a disk to reach its boot partition. */
export interface BootDisk {
  path: string;
  partitions: Pick<DiskPartitions, 'boot'>;
}

export interface DiskCopyOptions {
  /** The shipped image: .img.zst or .img. */
  image: string;
  /** Folder of the copy. */
  folder: string;
  machine: Machine;
  tree: ToolsTree;
  /** The card or disk is at least so large. */
  minimumBytes?: number;
  log?(line: string): void;
}

/** Unpacks the image sparsely and lets it end where a card of the next usual size would: there is room to grow into. */
export async function copyDisk({ image, folder, machine, tree, minimumBytes = 0, log }: DiskCopyOptions): Promise<DiskCopy> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'disk.img');
  await unpackImage(image, path, tree, log);
  const shipped = (await stat(path)).size;
  const sizeBytes = diskSize(Math.max(shipped, minimumBytes), machine);
  await truncate(path, sizeBytes);
  const file = await open(path, 'r');
  try {
    return { path, partitions: await readPartitions(file), sizeBytes };
  } finally {
    await file.close();
  }
}

/** Unpacks an image (.img.zst or .img) sparsely into a file. */
export async function unpackImage(image: string, path: string, tree: ToolsTree, log?: (line: string) => void): Promise<void> {
  const mounts = { '/image': { path: dirname(image), rw: false }, '/disk': { path: dirname(path), rw: true } };
  const [source, target] = [`/image/${basename(image)}`, `/disk/${basename(path)}`];
  const argv = image.endsWith('.zst') ? ['zstd', '--decompress', '--force', '--sparse', '--quiet', source, '-o', target] : ['cp', '--sparse=always', source, target];
  await tree.run({ argv, mounts, name: 'unpack', ...(log ? { log } : {}) });
}

/** A copy that an earlier run left in the folder, or null. */
export async function keptDisk(folder: string): Promise<DiskCopy | null> {
  const path = join(folder, 'disk.img');
  const file = await open(path, 'r').catch(() => null);
  if (!file) return null;
  try {
    return { path, partitions: await readPartitions(file), sizeBytes: (await file.stat()).size };
  } finally {
    await file.close();
  }
}

/** QEMU's SD cards must have a power of two as size; other disks get the same, for growth to be seen. */
export function diskSize(shippedBytes: number, machine: Machine): number {
  const room = 256 * 1024 * 1024;
  let size = 512 * 1024 * 1024;
  while (size < shippedBytes + room) size *= 2;
  return machine.qemu?.disk?.startsWith('sd') === true || size > shippedBytes ? size : size * 2;
}

/** Puts settings into config.json on the boot partition, keeping what it says otherwise. */
export async function configureDisk(disk: BootDisk, config: DeviceConfig, tree: ToolsTree): Promise<DeviceConfig> {
  const present = await readBootFile(disk, 'config.json', tree, { optional: true });
  let before: DeviceConfig = {};
  try {
    if (present) before = JSON.parse(present.toString('utf8')) as DeviceConfig;
  } catch (cause) {
    throw new OsbuildError('OSB_BOOT_TEST_FAILED', 'config.json of the image is not JSON', { cause });
  }
  const after = { ...before, ...config, os: { ...before.os, ...config.os } };
  await writeBootFile(disk, 'config.json', `${JSON.stringify(after, null, 2)}\n`, tree);
  return after;
}

/** Adds kernel parameters to those of extra_uEnv.txt on the boot partition, where U-Boot's script takes them from. */
export async function addKernelParameters(disk: DiskCopy, words: readonly string[], tree: ToolsTree): Promise<void> {
  const present = await readBootFile(disk, 'extra_uEnv.txt', tree, { optional: true });
  await writeBootFile(disk, 'extra_uEnv.txt', withKernelParameters(present?.toString('utf8') ?? '', words), tree);
}

/** Text of extra_uEnv.txt with the words in it, once each; other lines stay as they are. */
export function withKernelParameters(text: string, words: readonly string[]): string {
  const name = 'extra_os_cmdline=';
  const lines = text.split(/\r?\n/).filter(Boolean);
  const present = lines.findLast((line) => line.startsWith(name))?.slice(name.length).split(' ').filter(Boolean) ?? [];
  const others = lines.filter((line) => !line.startsWith(name));
  return [...others, `${name}${[...new Set([...present, ...words])].join(' ')}`, ''].join('\n');
}

/** Writes a file of the boot partition; its folder must be there. */
export async function writeBootFile(disk: BootDisk, name: string, content: string | Uint8Array, tree: ToolsTree): Promise<void> {
  const folder = dirname(disk.path);
  const own = `new-${basename(name)}`;
  await writeFile(join(folder, own), content);
  await tree.run({
    argv: ['mcopy', '-D', 'o', '-n', '-o', '-i', `/disk/${basename(disk.path)}@@${disk.partitions.boot.startBytes}`, `/disk/${own}`, `::${name}`],
    mounts: { '/disk': { path: folder, rw: true } },
    name: 'write-boot',
  });
}

/** Reads a file of the boot partition. */
export async function readBootFile(disk: BootDisk, path: string, tree: ToolsTree, options: { optional?: boolean } = {}): Promise<Buffer | null> {
  const folder = dirname(disk.path);
  const out = join(folder, `boot-${path.replaceAll('/', '-')}`);
  try {
    await tree.run({
      argv: ['mcopy', '-n', '-o', '-i', `/disk/${basename(disk.path)}@@${disk.partitions.boot.startBytes}`, `::${path}`, `/disk/${basename(out)}`],
      mounts: { '/disk': { path: folder, rw: true } },
      name: 'read-boot',
    });
  } catch (cause) {
    if (options.optional) return null;
    throw new OsbuildError('OSB_BOOT_TEST_FAILED', `the boot partition has no readable ${path}`, { cause });
  }
  return readFile(out);
}
