// Purpose: writing an image to a disk, of this host or of one that is reached over SSH: choosing the disk, writing, reading back.
// Owns: what makes a disk safe to overwrite, the order of writes that keeps a half-written disk from booting, the program that writes there.
// Must not: build anything, ask the user, or write to a disk that it refused.
export type { OpenDisk } from './disk.ts';
export { openDiskThere } from './disk-there.ts';
export { judgeDisk, listDisks, listDisksThere, type Disk, type DiskNeeds, type Judgement } from './disks.ts';
export { openImage, type ImageBytes } from './image-source.ts';
export { openLocalDisk } from './local-disk.ts';
export { flashDisk, headBytes, type FlashOptions, type FlashReport } from './write.ts';
