// Purpose: named places for data that outlives containers.
// Owns: volumes/ below the data root.
// Must not: know who uses a volume.
export { openVolumeStore, type Volume, type VolumeStore } from './volume-store.ts';
