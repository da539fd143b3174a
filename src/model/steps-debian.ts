import type { DebianArchitecture, LockedPackage, LockedSource } from './debian.ts';
import type { Machine, Recipe } from './schema/index.ts';
import type { FileByUrl } from './steps-download.ts';

/** The Debian provider and the tools trees (src/providers/debian). */
export interface DebianSteps {
  /** No inputs. Outputs: one .deb a package, named `<sha256>.deb`, verified. */
  'debian/fetch': { packages: LockedPackage[] };
  /** Inputs: `debs` (task-files). Result: a tree that can be entered; no maintainer script was run. */
  'debian/tree': { architecture: DebianArchitecture; packages: LockedPackage[] };
  /**
   * Inputs: `debs` (task-files). Outputs: files.tar (all packages merged, owners and modes as packaged, paths below
   * usr-merged), packages.json (`PackageManifest`), control.json (`PackageControl[]`: control fields and scripts).
   */
  'debian/unpack': { packages: LockedPackage[]; exclude: string[] };
  /**
   * Inputs: `debs` (task-files), `tools` (tree), and `built` (kernel.tar of source/kernel) where the packages are those of the
   * sources; for a maker's archive `artifact` (task-files of download/files) instead of `debs`. Outputs: vmlinuz, modules.tar (decompressed, with depmod's files), device-trees.tar (below the kernel's device tree
   * folder), packages.json.
   */
  'debian/kernel': {
    packages: LockedPackage[];
    /** Globs below the kernel's module folder; what `include` matches is kept although excluded. */
    modules: { exclude: string[]; include: string[] };
    /** Modules that must be there, and who wants them. */
    required: { module: string; askedBy: string }[];
    deviceTrees: string[];
    /** The kernel of its maker, which comes in no package. */
    artifact?: KernelArtifact;
  };
  /** Inputs: `debs` (task-files), `tools` (tree). Outputs: kernel-headers.tar.zst, which works wherever it is unpacked. */
  'debian/kernel-headers': { packages: LockedPackage[] };
  /**
   * Inputs: `debs` (task-files), for a boot loader that was built `built` (boot-loader.tar of source/u-boot) and `copyright`, and
   * for files by address `files` (task-files). Outputs: boot-loader.tar (`<package>/<path>`, `_files/<name>`), packages.json.
   */
  'debian/boot-loader': { packages: LockedPackage[]; built?: { source: LockedSource; architecture: DebianArchitecture }; files?: FileByUrl[] };
  /** Inputs: `files` (tar), `tools` (tree), recipes' sources that matter. Outputs: databases.tar (hwdb.bin, ld.so.cache). */
  'debian/databases': { architecture: DebianArchitecture };
  /**
   * Inputs: `files`, `modules`, `databases` (tars), `control`, `packages:<n>` (manifests), `recipe:<name>` (sources),
   * `engine` (a program). Outputs: rootfs.tar, manifest.json.
   */
  'debian/finish': FinishArgs;
}

/** A maker's archive with a kernel, its modules and its device trees, and where they are inside (paths from the archive's top). */
export interface KernelArtifact extends Omit<NonNullable<Machine['kernel']['artifact']>, 'release' | 'image' | 'modules' | 'deviceTrees'> {
  /** What starts it: not every form of a kernel suits every one. */
  loader: Machine['boot']['method'];
  /** Null: the only one. */
  release: string | null;
  /** Null: in a usual place, as the next two. */
  image: string | null;
  modules: string | null;
  deviceTrees: string | null;
}

export interface FinishArgs {
  mode: 'development' | 'production';
  machine: string;
  os: { name: string; id: string; version: string };
  /** In the order in which they apply. */
  recipes: FinishRecipe[];
}

/** What the finish step needs of a recipe. */
export type FinishRecipe = { name: string } & Pick<
  Recipe,
  'edits' | 'files' | 'units' | 'users' | 'state' | 'links' | 'statoverrides' | 'finish' | 'engine' | 'development' | 'production'
>;
