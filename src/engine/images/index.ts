// Purpose: images and their layers: names, configurations, archives, extraction, storage.
// Owns: layers/ and images/ below the data root.
// Must not: know HTTP, containers, or where an archive comes from.
export { parseImageConfig } from './image-config.ts';
export type { HealthcheckConfig, ImageConfig, ImageHistory, ImageRunConfig } from './image-config.ts';
export { openImageStore, type Image, type ImageStore, type ManifestFormat } from './image-store.ts';
export { importRootfs } from './import.ts';
export { extractInto } from './layer-extract.ts';
export type { KnownBlob } from './known-blobs.ts';
export { lendImage, type LentLayer } from './lent-root.ts';
export type { LayerContents } from './layer-record.ts';
export { openLayerStore, type Layer, type LayerStore, type LayerTar, type StagedLayer } from './layer-store.ts';
export { loadArchive, type LoadedImage } from './load.ts';
export { NO_OTHER_ROOT, openOtherRoot, type OtherRoot } from './other-root.ts';
export { choosePlatform, formatPlatform, parsePlatform, suits, type NamedPlatform, type Platform } from './platform.ts';
export { canonicalName, familiarName, familiarRepository, parseReference, withDefaultTag, type Reference } from './reference.ts';
export { checkSpace } from './space.ts';
export { checkStore, type StoreCheck, type StoreFault } from './store-check.ts';
export type { RecordSegment } from './tar-record.ts';
