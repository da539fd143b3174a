import type { AnyTask, OutputRef, SourceFile } from './task.ts';
import type { ReleaseSigner } from './steps-image.ts';
import type { Build, DeviceConfig, Machine, Recipe } from './schema/index.ts';

/** A recipe as the plan sees it: its file, and the files beside it with their digests. */
export interface RecipeSource {
  name: string;
  recipe: Recipe;
  /** Absolute path of the recipe's folder. */
  folder: string;
  /** Everything in the folder but recipe.yaml. */
  files: SourceFile[];
}

/** A machine as the plan sees it. */
export interface MachineSource {
  name: string;
  machine: Machine;
  /** Absolute path of the machine file. */
  file: string;
}

/** What one image is made of: the machine, the recipes in order (needed ones first), and the project's settings. */
export interface ImageRequest {
  machine: MachineSource;
  recipes: RecipeSource[];
  mode: 'development' | 'production';
  os: { name: string; id: string; version: string };
  config: DeviceConfig;
  /** Who signs the release for updates. */
  signers: ReleaseSigner[];
  /** What the firmware starts is signed; omitted where it is not. */
  secureBoot?: SecureBoot;
  /** SOURCE_DATE_EPOCH, seconds. */
  epoch: number;
  debian: Required<Pick<NonNullable<Build['debian']>, 'suite' | 'components' | 'exclude'>>;
}

/** Signed boot chain of an image. `certificate`: PEM; its key is known to the step that signs alone. `enroll`: folder with PK.auth, KEK.auth and db.auth. */
export interface SecureBoot {
  certificate: string;
  /** SHA-256 of the certificate (DER). */
  fingerprint: string;
  enroll?: { root: string; files: SourceFile[] };
}

/** What a provider hands to the image steps: references to files that its tasks will make. */
export interface ProvidedRoot {
  tasks: AnyTask[];
  /** tar: the complete root filesystem, owners, modes and capabilities in its headers. */
  rootfs: OutputRef;
  /** JSON: path → SHA-256 of those files of the root that the provider has hashed already; a path has no slash in front. */
  digests?: OutputRef;
  /** The kernel program as the boot loader loads it. */
  kernel: OutputRef;
  /** tar: device trees below their vendor folders, empty where the board has none. */
  deviceTrees: OutputRef;
  /** tar: the boot loader packages' files (U-Boot programs, firmware, EFI programs), by package: <package>/<path>. */
  bootLoader: OutputRef;
  /** tar: usr/lib/modules/<version>, as it stands in the root: an initrd that needs no more than these is made again less often. */
  modules: OutputRef;
  /** tar.zst: what modules for the kernel are compiled against; omitted where the kernel has none, or the project wants none. */
  kernelHeaders?: OutputRef;
  /** tar: the initrd's packages with everything they need, merged; empty where no recipe names any. */
  initrdPackages: OutputRef;
  /** JSON: `PackageManifest`. */
  manifest: OutputRef;
}

/** packages.json and the manifest artifact: what the image holds, for SBOM, licences and `osbuild size`. */
export interface PackageManifest {
  packages: ManifestPackage[];
}

export interface ManifestPackage {
  name: string;
  version: string;
  architecture: string;
  source: string;
  sourceVersion: string;
  section: string;
  /** SPDX-like licence names read from the package's copyright file, as written there. */
  licences: string[];
  homepage: string | null;
  /** Bytes of this package's files that went into the root, before compression. */
  installedBytes: number;
  downloadBytes: number;
  sha256: string;
  /** Where a file that no archive packages was loaded from. */
  downloadUrl?: string;
  /** Where the sources of such a file are, when its machine says so. */
  sourceUrl?: string;
  files: number;
}
