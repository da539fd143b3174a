import type { Arch } from './arch.ts';
import type { DeviceConfig, Machine } from './schema/index.ts';

/** From a root filesystem to artifacts (src/image). Owned by src/image; extend here when a step needs more. */
export interface ImageSteps {
  /** Inputs: `rootfs` (tar), `initrd` sources, `tools`. Outputs: initrd.img. */
  'image/initrd': { arch: Arch; modules: string[]; programs: string[] };
  /** Inputs: `rootfs` (tar), `tools`. Outputs: root.erofs. */
  'image/slot': { compression: string };
  /** Inputs: `kernel`, `deviceTrees`, `bootLoader`, `initrd`, `tools`. Outputs: boot.tar, the tree of the boot partition. */
  'image/boot': { machine: Machine; config: DeviceConfig };
  /** Inputs: `root`, `boot`, `tools`. Outputs: disk.img.zst, disk.bmap. */
  'image/disk': { machine: Machine };
  /** Inputs: `image`, `bmap`, `manifest`. Outputs: manifest.json, sbom.cdx.json, image.json, SHA256SUMS. */
  'image/describe': { machine: string; version: string; mode: string };
}
