// Purpose: writing an image to a disk of this host: choosing the disk, writing, reading back.
// Owns: what makes a disk safe to overwrite, the order of writes that keeps a half-written disk from booting.
// Must not: build anything, ask the user, or write to a disk that it refused.
export { judgeDisk, listDisks, type Disk, type Judgement } from './disks.ts';
export { openImage, type ImageBytes } from './image-source.ts';
export { flashDisk, type FlashOptions, type FlashReport } from './write.ts';
