// Purpose: the nouns of the build: machines, recipes, packages, tasks, events, errors.
// Owns: types, constants, and what can be read off them.
// Must not: import anything from outside this folder, or do anything.
export * from './arch.ts';
export * from './debian.ts';
export * from './error.ts';
export * from './event.ts';
export * from './execution.ts';
export * from './origins.ts';
export * from './provider.ts';
export * from './schema/index.ts';
export * from './steps.ts';
export type { DebianSteps, KernelArtifact } from './steps-debian.ts';
export type { DeviceSteps } from './steps-device.ts';
export type { DownloadSteps, FileByUrl } from './steps-download.ts';
export type { EngineSteps } from './steps-engine.ts';
export type { PackageSteps } from './steps-package.ts';
export type { PreloadedData, PreloadedImage, PreloadedRegistry, PreloadSteps } from './steps-preload.ts';
export type { DiskAreas, ImageSteps, ReleaseSigner, UnifiedBoot } from './steps-image.ts';
export type { SecureBootSteps } from './steps-secure-boot.ts';
export type { SourceSteps } from './steps-source.ts';
export type { YoctoImageArgs, YoctoSteps } from './steps-yocto.ts';
export * from './task.ts';
