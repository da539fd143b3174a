/** The Yocto provider (src/providers/yocto). */
export interface YoctoSteps {
  /** No inputs. Result: the tree of that commit, without its history. `release` null: not a layer but bitbake itself. */
  'yocto/layer': { name: string; git: string; commit: string; branch: string | null; release: string | null; folders: string[] };
  /**
   * Inputs: `layer:<name>` (a tree, or sources of a folder of this machine), among them `layer:bitbake` and
   * `layer:meta-minke`; `recipe:<name>` (sources of recipes), `engine-bundle` and `engine-host` (the engine's JavaScript
   * and the sources of its C host, where a recipe wants it). Outputs: rootfs.tar, modules.tar, initrd-packages.tar, vmlinuz, device-trees.tar, boot-loader.tar, manifest.json.
   */
  'yocto/image': YoctoImageArgs;
  /** Inputs as of yocto/image. Has bitbake read all recipes and plan the same image. Output: plan.json. */
  'yocto/inspect': YoctoImageArgs;
}

export interface YoctoImageArgs {
  /** Our name of the machine, which the build folder is called by. */
  name: string;
  release: string;
  /** MACHINE. */
  machine: string;
  /** In the order of BBLAYERS; the generated layer comes last. */
  layers: Array<{ name: string; folders: string[] }>;
  localConf: string;
  /** Text files of the generated layer by path; recipes' files come beside them from the inputs. */
  generated: Record<string, string>;
  image: string;
  initrdImage: string;
  targets: string[];
  /** The image is refused where the kernel has one of these neither built in nor as a file. */
  requiredModules: string[];
  /** Names in DEPLOY_DIR_IMAGE; of device trees and boot loader: path handed on → name. */
  deploy: { kernel: string; deviceTrees: Record<string, string>; bootLoader: Record<string, string> };
}
