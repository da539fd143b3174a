import type { DebianArchitecture, LockedFile } from './debian.ts';

/** Kernels and boot loaders that are built from source (src/source-build). */
export interface SourceSteps {
  /**
   * Inputs: `debs` (task-files), `tools` (tree), `fragments:<n>` (sources), one file each in the order in which they apply.
   * Outputs: kernel.tar (boot/vmlinuz-<version>, usr/lib/modules/<version>, usr/lib/linux-image-<version>, as in a kernel
   * package), kernel.config.
   */
  'source/kernel': { package: LockedFile; architecture: DebianArchitecture; base: string | null; fragments: string[] };
  /**
   * Inputs: `files` (task-files), `tools` (tree), `fragments:<n>` as above. Outputs: boot-loader.tar (`<source package>/<path>`, the
   * products asked for), u-boot.config, copyright.
   */
  'source/u-boot': { name: string; files: LockedFile[]; architecture: DebianArchitecture; base: string; fragments: string[]; products: string[] };
}
