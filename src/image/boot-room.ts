import { roundUp } from './byte-size.ts';

/** FAT32: what mkfs.fat is told to use. Small clusters keep a partition of 64 MiB above FAT32's least number of them. */
export const fatClusterBytes = 1024;

export interface BootRoom {
  needBytes: number;
  because: string;
}

/**
 * Room that a boot partition must have: its files as they are, the other slot's kernel, initrd and device trees, and the
 * largest shared file once more, since an update writes a new one beside the old one and renames it.
 * @param sizes path → bytes
 */
export function bootRoom(sizes: ReadonlyMap<string, number>): BootRoom {
  let slotBytes = 0;
  let sharedBytes = 0;
  let largestShared = 0;
  for (const [path, sizeBytes] of sizes) {
    const taken = roundUp(sizeBytes, fatClusterBytes);
    if (path.startsWith('A/')) slotBytes += taken;
    else {
      sharedBytes += taken;
      largestShared = Math.max(largestShared, taken);
    }
  }
  const content = sharedBytes + 2 * slotBytes + largestShared;
  // Two tables of four bytes a cluster, the reserved sectors, folders.
  const overhead = Math.ceil(content / fatClusterBytes) * 8 + 64 * 1024;
  return { needBytes: content + overhead, because: 'kernels, initrds and device trees of both slots, and room to replace a file in one piece' };
}
