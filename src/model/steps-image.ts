import type { Arch } from './arch.ts';
import type { DeviceConfig, Machine } from './schema/index.ts';
import type { PreloadedImage } from './steps-preload.ts';

/** Boot areas with the package of their programs, and the table in the first sector by which some firmware finds one of them. Bytes. */
export interface DiskAreas {
  package: string;
  areas: Array<{ name: string; file: string | null; offsetBytes: number; sizeBytes: number; package?: string }>;
  osip?: { startBytes: number; sizeBytes: number; loadAddress: number; entryAddress: number };
}

/** The boot partition of a machine with Secure Boot. `enroll`: names of the files with keys for a firmware that has none. */
export interface UnifiedBoot {
  enroll: string[];
}

/** `file`: absolute path of a private key, which never leaves it. `publicKey`: SHA-256 of its public half (SPKI). */
export interface ReleaseSigner {
  file: string;
  publicKey: string;
}

/** From a root filesystem to artifacts (src/image). */
export interface ImageSteps {
  /**
   * Inputs: `modules` and `packages` (tars), `tools`, and one `sources` input for each name in `scripts` (recipes' initrd/
   * folders), and one `built:<name>` for each program of ours in `built`. Outputs: initrd.img, initrd.json. `modules` are loaded at every boot, `drivers` when their hardware is
   * there; `settings` are variables of init.
   */
  'image/initrd': { arch: Arch; modules: string[]; drivers: string[]; programs: string[]; built: string[]; compression: 'zstd' | 'none'; settings: Record<string, string>; scripts: string[] };
  /** Inputs: `rootfs` (tar), `tools`. Outputs: root.erofs. */
  'image/slot': { compression: string };
  /** The tree by which dm-verity checks a slot. Inputs: `root` (root.erofs). Outputs: root.verity, the tree's blocks; verity.json, its parameters. */
  'image/verity': Record<string, never>;
  /** Inputs: `kernel`, `deviceTrees`, `bootLoader`, `initrd`, `verity` (verity.json), `tools`; with `unified` no `initrd`, which is in the kernel, but `loader`, the signed one, and `enroll` (sources) where it names files. Outputs: boot.tar, the files of the boot partition; slot.tar, those that an update carries: its slot's below boot/, shared ones below shared/. */
  'image/boot': {
    name: string;
    machine: Pick<Machine, 'kernel' | 'boot' | 'disk' | 'files'>;
    config: DeviceConfig;
    commandLine: string[];
    title: string;
    version: string;
    unified?: UnifiedBoot;
  };
  /** Inputs: `boot` (boot.tar), `slotFiles` (slot.tar), `root` (tar), `config` (of the OS image), `tools`. Outputs: boot.vfat. */
  'image/boot-partition': { name: string; disk: Machine['disk'] };
  /**
   * Inputs: `root`, `tree` (root.verity), `boot`, `tools`, and `bootLoader` for `areas` (boot areas with their package). With `preloaded` also `data` (tar), `dataFacts` (`PreloadedData`) and
   * `dataTools`: the data partition has this content, and as much room as that takes. Outputs: disk.img.zst, disk.bmap, disk.json (`DiskReport` of src/image).
   */
  'image/disk': { name: string; disk: Machine['disk']; areas?: DiskAreas; preloaded?: true };
  /**
   * The medium that writes an image to a board's own disk. Inputs: `kernel`, `deviceTrees`, `bootLoader`, `initrd` (the flasher's; with `unified` as of image/boot),
   * `image` (img.zst), `bmap`, `layout` (disk.json), `tools`. Outputs: flasher.img.zst, flasher.bmap, flasher.json, SHA256SUMS.
   * `imageName`: of the files as they are handed out.
   */
  'image/flasher': {
    name: string;
    machine: Pick<Machine, 'kernel' | 'boot' | 'disk' | 'files'>;
    /** Patterns of the disks that may be written, for flasher.json. */
    disks: string[];
    config: DeviceConfig;
    commandLine: string[];
    title: string;
    version: string;
    imageName: string;
    areas?: DiskAreas;
    unified?: UnifiedBoot;
  };
  /**
   * The OS image that devices are updated with. Inputs: `root` (tar), `boot` (slot.tar), `slot` (root.erofs), `verity` (verity.json), `tools`. Outputs: os.tar (OCI image
   * layout), config.json (the image's configuration). `reference`: the name that it gets where it is loaded.
   */
  'image/update': {
    machine: string;
    arch: Arch;
    os: { name: string; id: string; version: string };
    mode: string;
    commandLine: string[];
    loader: Machine['boot']['method'];
    compression: string;
    reference: string;
    /** Private keys (PEM files) that sign the release, and SHA-256 of their public halves, which alone are part of the key. */
    signers: ReleaseSigner[];
    /** SHA-256 of the certificate that the slot's unified kernel is signed by. */
    unified?: { certificate: string };
  };
  /** Inputs: `rootfs` (tar), `digests` if the provider has any (JSON). Outputs: fingerprint.sha256. */
  'image/fingerprint': Record<string, never>;
  /**
   * Inputs: `packages`, `initrd`, `image`, `bmap`, `layout`, `fingerprint`, `update`, and `headers` where there are any. Outputs: manifest.json, sbom.cdx.json, image.json,
   * SHA256SUMS.
   */
  'image/describe': {
    name: string;
    machine: Pick<Machine, 'description' | 'aliases' | 'arch' | 'kernel' | 'boot' | 'disk' | 'instructions'>;
    os: { name: string; id: string; version: string };
    mode: string;
    imageName: string;
    preloaded?: PreloadedImage[];
  };
}
