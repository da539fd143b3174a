import type { Machine, Recipe } from './schema/index.ts';

/** Emulated boards (src/device). */
export interface DeviceSteps {
  /**
   * Inputs: `image` (img.zst), `emulation` and `busybox` (trees), `module` (of device/kernel-module) and `radio` (a modules.tar with mac80211_hwsim) and `bluetooth` (tree with btvirt) where there is one, `sources` of src/device, so that a changed check runs
   * again. Outputs: report.json (`BootTestReport`), only when every check passed; a failure is not a result.
   */
  'device/boot-test': {
    machineName: string;
    machine: Machine;
    mode: 'development' | 'production';
    /** boot: three boots and a power cut; update: into the other slot and back, with the input `release` (os.tar); field: full and failing partitions, a reset, a hang; damage: slots that change on the disk, with the input `release`; faults: an application's update while the power goes. */
    suite: 'boot' | 'start' | 'update' | 'config' | 'network' | 'field' | 'damage' | 'faults' | 'secure-boot';
    /** For their checks and writable paths. */
    recipes: { name: string; recipe: Recipe }[];
    /** Whether the input `module` is there. */
    module?: true;
    /** Whether the input `radio` is there. */
    radio?: true;
    /** Whether the input `bluetooth` is there. */
    bluetooth?: true;
  };
  /** Inputs: `headers` (tar.zst of debian/kernel-headers), `module` (sources), `tools` (tree). Outputs: minke_probe.ko, for boot tests. */
  'device/kernel-module': Record<string, never>;
  /** Inputs: `image` and `flasher` (img.zst), `emulation` (tree). Outputs: report.json, as of the boot test. `services`: those that came with the image. */
  'device/flasher-test': { machineName: string; machine: Machine; mode: 'development' | 'production'; services?: string[] };
}
