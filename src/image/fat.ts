import { utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { StepContext } from '../model/index.ts';
import { fatClusterBytes } from './boot-room.ts';
import { sectorBytes } from './partition-table.ts';

/**
 * Makes a FAT32 file system in an image file and fills it with mtools. The same files give the same bytes: order,
 * times and volume id are given.
 * @param options.image path inside the sandbox; it has its final size already
 * @param options.folder host folder that holds `files`
 */
export async function makeFat(
  context: Pick<StepContext<'image/boot-partition' | 'image/flasher'>, 'tool' | 'epoch'>,
  options: { image: string; folder: string; files: readonly string[]; label: string; volumeId: string },
): Promise<void> {
  const { image, folder, label, volumeId } = options;
  const files = [...options.files].sort();
  const sectors = String(fatClusterBytes / sectorBytes);
  await context.tool({ argv: ['mkfs.fat', '--invariant', '-F', '32', '-s', sectors, '-n', label, '-i', volumeId, image] });
  const folders = [...new Set(files.flatMap(parents))].sort();
  for (const file of files) await utimes(join(folder, file), context.epoch, context.epoch);
  const env = { MTOOLS_SKIP_CHECK: '1' };
  if (folders.length > 0) await context.tool({ argv: ['mmd', '-i', image, ...folders.map((path) => `::/${path}`)], env });
  for (const target of new Set(files.map((file) => dirname(file)))) {
    const members = files.filter((file) => dirname(file) === target);
    const argv = ['mcopy', '-m', '-i', image, ...members.map((file) => `/files/${file}`), target === '.' ? '::/' : `::/${target}/`];
    await context.tool({ argv, env, mounts: { '/files': { path: folder } } });
  }
  // mtools miscounts the free clusters by the one that the label's folder takes. 1: something was corrected.
  await context.tool({ argv: ['sh', '-c', 'fsck.fat -a "$1"; [ $? -le 1 ]', 'sh', image] });
}

function parents(file: string): string[] {
  const parts = dirname(file).split('/');
  return parts[0] === '.' ? [] : parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** Bytes from the start of a FAT32 image to the end of its last used cluster: what lies behind need not be written. */
export function fatUsedBytes(boot: Buffer, fat: Buffer): number {
  const { clusterBytes, dataAt } = fatGeometry(boot);
  let last = 2;
  for (let cluster = 2; cluster * 4 < fat.length; cluster++) if ((fat.readUInt32LE(cluster * 4) & 0x0fff_ffff) !== 0) last = cluster;
  return dataAt + (last - 1) * clusterBytes;
}

/** From the boot sector (Microsoft's FAT specification, section 3): places in bytes. */
export function fatGeometry(boot: Buffer): { clusterBytes: number; fatAt: number; fatBytes: number; dataAt: number } {
  const sector = boot.readUInt16LE(11);
  const fatAt = boot.readUInt16LE(14) * sector;
  const fatBytes = boot.readUInt32LE(36) * sector;
  return { clusterBytes: (boot[13] ?? 0) * sector, fatAt, fatBytes, dataAt: fatAt + (boot[16] ?? 0) * fatBytes };
}
