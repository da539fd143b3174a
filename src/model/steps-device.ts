import type { Machine, Recipe } from './schema/index.ts';

/** Emulated boards (src/device). */
export interface DeviceSteps {
  /**
   * Inputs: `image` (img.zst), `emulation` and `busybox` (trees), `sources` of src/device, so that a changed check runs
   * again. Outputs: report.json (`BootTestReport`), only when every check passed; a failure is not a result.
   */
  'device/boot-test': {
    machineName: string;
    machine: Machine;
    mode: 'development' | 'production';
    /** boot: three boots and a power cut; update: into the other slot and back, with the input `release` (os.tar); faults: an application's update while the power goes. */
    suite: 'boot' | 'start' | 'update' | 'config' | 'network' | 'faults';
    /** For their checks and writable paths. */
    recipes: { name: string; recipe: Recipe }[];
  };
  /** Inputs: `image` and `flasher` (img.zst), `emulation` (tree). Outputs: report.json, as of the boot test. */
  'device/flasher-test': { machineName: string; machine: Machine; mode: 'development' | 'production' };
}
