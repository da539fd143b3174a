import type { Arch } from './arch.ts';
import type { DeviceConfig, Machine } from './schema/index.ts';

/** From a root filesystem to artifacts (src/image). */
export interface ImageSteps {
  /**
   * Inputs: `rootfs` (tar), `scripts` (sources: recipes' initrd/ folders), `tools`. Outputs: initrd.img, initrd.json.
   * `modules` are loaded at every boot, `drivers` when their hardware is there; `settings` are what init's variables hold.
   */
  'image/initrd': { arch: Arch; modules: string[]; drivers: string[]; programs: string[]; settings: Record<string, string> };
  /** Inputs: `rootfs` (tar), `tools`. Outputs: root.erofs. */
  'image/slot': { compression: string };
  /** Inputs: `kernel`, `deviceTrees`, `bootLoader`, `initrd`, `tools`. Outputs: boot.vfat, the whole boot partition. */
  'image/boot': { name: string; machine: Machine; config: DeviceConfig; commandLine: string[]; title: string; version: string };
  /** Inputs: `root`, `boot`, `tools`. Outputs: disk.img.zst, disk.bmap, disk.json (`DiskReport` of src/image). */
  'image/disk': { name: string; machine: Machine; imageName: string };
  /**
   * Inputs: `rootfs`, `disk`, `bmap`, `layout`, `initrd`, `packages`. Outputs: manifest.json, sbom.cdx.json, image.json,
   * fingerprint.sha256, SHA256SUMS.
   */
  'image/describe': { name: string; machine: Machine; os: { name: string; id: string; version: string }; mode: string; imageName: string };
}
