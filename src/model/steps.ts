import type { Arch } from './arch.ts';
import type { DebianArchitecture, LockedPackage } from './debian.ts';
import type { DebianSteps } from './steps-debian.ts';
import type { DeviceSteps } from './steps-device.ts';
import type { DownloadSteps } from './steps-download.ts';
import type { EngineSteps } from './steps-engine.ts';
import type { ImageSteps } from './steps-image.ts';
import type { PackageSteps } from './steps-package.ts';
import type { PreloadSteps } from './steps-preload.ts';
import type { SecureBootSteps } from './steps-secure-boot.ts';
import type { SourceSteps } from './steps-source.ts';
import type { YoctoSteps } from './steps-yocto.ts';

/**
 * Arguments of every kind of step: plain JSON, all of it part of the task's key. The executors' table in
 * src/cli/build/executors.ts is exhaustive over this map.
 */
export type StepArgs = DebianSteps & DownloadSteps & EngineSteps & PackageSteps & ImageSteps & SecureBootSteps & SourceSteps & PreloadSteps & DeviceSteps & YoctoSteps;

export type StepKind = keyof StepArgs;
export type { Arch, DebianArchitecture, LockedPackage };
