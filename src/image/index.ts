// Purpose: from a root filesystem to a flashable disk image and its papers.
// Owns: partition tables, filesystems, initrd, boot files, block map, manifest, SBOM, what fits and what costs what.
// Must not: know which provider made the root, or touch the system but through a step's context.
import type { Executors } from '../model/index.ts';
import { buildBootPartition } from './boot-partition.ts';
import { buildBoot } from './boot.ts';
import { describeImage } from './describe.ts';
import { buildDisk } from './disk.ts';
import { buildFlasher } from './flasher.ts';
import { writeFingerprint } from './fingerprint.ts';
import { buildInitrd } from './initrd.ts';
import { buildSlot } from './slot.ts';
import { buildUpdate } from './update.ts';
import { buildVerity } from './verity.ts';

export { decodeBmap, type BlockMap } from './bmap.ts';
export { formatByteSize, parseByteSize } from './byte-size.ts';
export type { DiskReport } from './disk.ts';
export type { ImageManifest } from './manifest.ts';
export { planPartitions, type DiskLayout, type Partition, type PartitionName } from './partition-table.ts';
export type { FlasherReport } from './flasher.ts';
export { planFlasher } from './flasher-plan.ts';
export { kernelHeadersEnd, planImage, type PlannedImage, type Preload } from './plan.ts';
export { sizeReport, type SizeReport } from './size.ts';
export { packaged } from './boot-files.ts';
export { openTarRoot } from './tar-root.ts';
export { imageTools, preloadTools } from './tools.ts';
export { releaseLabel, signaturesLabel } from './release.ts';
export { ustarEnd, ustarHeader, ustarPadding } from './ustar.ts';

/** Executors of this folder's steps, for the table of all. */
export const imageExecutors: Pick<Executors, 'image/initrd' | 'image/slot' | 'image/verity' | 'image/boot' | 'image/boot-partition' | 'image/disk' | 'image/flasher' | 'image/update' | 'image/fingerprint' | 'image/describe'> = {
  'image/initrd': { version: 1, run: buildInitrd },
  'image/slot': { version: 1, run: buildSlot },
  'image/verity': { version: 1, run: buildVerity },
  'image/boot': { version: 2, run: buildBoot },
  'image/boot-partition': { version: 1, run: buildBootPartition },
  'image/disk': { version: 1, run: buildDisk },
  'image/flasher': { version: 1, run: buildFlasher },
  'image/update': { version: 2, run: buildUpdate },
  'image/fingerprint': { version: 1, run: writeFingerprint },
  'image/describe': { version: 1, run: describeImage },
};
