// Generated from src/config/schemas/machine.schema.json by src/config/generate-types.mjs: edit the schema.

export type Name = string;
/**
 * A path below the machine file's folder that ends in .config.
 */
export type Fragment = string;

/**
 * A board: architecture, kernel, boot method, partition table, QEMU lane.
 */
export interface Machine {
  /**
   * For editors; not read.
   */
  $schema?: string;
  /**
   * Name of the board as its maker writes it.
   */
  description: string;
  /**
   * Other names that select this machine.
   */
  aliases?: Name[];
  /**
   * Architecture of userland and engine.
   */
  arch: 'armv5e' | 'armv6l' | 'armv7hf' | 'aarch64' | 'i386' | 'amd64';
  /**
   * Where the kernel comes from (one of debian, source, artifact), and what of it goes into the image.
   */
  kernel: {
    /**
     * Kernel package; its architecture may differ from the userland's.
     */
    debian?: {
      package: string;
      architecture: 'amd64' | 'arm64' | 'armhf' | 'armel' | 'i386';
      /**
       * Another suite of Debian's archive for the kernel alone, such as trixie-backports for hardware that the release's kernel does not know yet. Everything else stays with debian.suite of build.config.yaml.
       */
      suite?: string;
    };
    /**
     * The kernel is built from the sources that Debian packages. Each setting of each fragment is looked for in the configuration that came out.
     */
    source?: {
      /**
       * Package of the sources, such as linux-source-6.12.
       */
      package: string;
      /**
       * What it is built for; may differ from the userland's.
       */
      architecture: 'amd64' | 'arm64' | 'armhf' | 'armel' | 'i386';
      /**
       * A configuration of the sources to begin with, such as multi_v7_defconfig. Without one: Kconfig's own defaults, which make a small kernel.
       */
      base?: string;
      /**
       * Files of settings beside this machine file, applied in this order after those that recipes bring in fragments/. The last value of a setting counts.
       *
       * @minItems 1
       */
      fragments: [Fragment, ...Fragment[]];
    };
    /**
     * The kernel of a maker who hands it out built: an archive (tar; plain, gzip, xz or zstd; or a .deb) with kernel, modules and device trees. What kbuild's own `make tarxz-pkg` and `make bindeb-pkg` make needs no paths.
     */
    artifact?: {
      /**
       * What messages and the bill of materials call it, such as linux-maker.
       */
      name: string;
      /**
       * Address of the archive (http:// or https://, without credentials), best of an exact version.
       */
      url: string;
      /**
       * SHA-256 of the archive, 64 lower-case digits. It is verified before anything is done with it.
       */
      sha256: string;
      /**
       * What its maker calls this version; for the bill of materials.
       */
      version: string;
      /**
       * What the kernel is built for; may differ from the userland's. The kernel is held against it.
       */
      architecture: 'amd64' | 'arm64' | 'armhf' | 'armel' | 'i386';
      /**
       * SPDX identifier, such as GPL-2.0-only, or LicenseRef-… where there is none; for the bill of materials.
       */
      license: string;
      /**
       * Where its maker keeps the sources that it was built from; for the bill of materials.
       */
      sourceUrl?: string;
      /**
       * Which kernel, as `uname -r` says it, where the archive has modules of several.
       */
      release?: string;
      /**
       * The kernel's path inside the archive; without it the usual places, such as boot/vmlinuz-<release>. One that is compressed with gzip is unpacked.
       */
      image?: string;
      /**
       * Folder inside the archive that has one folder for each release; without it lib/modules or usr/lib/modules.
       */
      modules?: string;
      /**
       * Folder inside the archive that kernel.deviceTrees are below; without it the usual ones, such as boot/dtbs/<release>.
       */
      deviceTrees?: string;
    };
    /**
     * Paths below the kernel's device tree folder, put on the boot partition.
     */
    deviceTrees?: string[];
    /**
     * Kernel parameters of this board, consoles first.
     */
    commandLine?: string[];
    /**
     * Modules (with what they depend on) that the initrd loads to reach the disk.
     */
    initrdModules?: string[];
    /**
     * zstd where nothing is said. none: a delta between two releases has of the initrd no more than what is new of it, where a compressed one is new as a whole with every kernel. It takes its unpacked size of the boot partition, twice, and is read before the kernel starts.
     */
    initrdCompression?: 'zstd' | 'none';
    /**
     * Which modules of the kernel package go into the image: globs below the kernel's module folder, last match wins.
     */
    modules?: {
      exclude?: string[];
      /**
       * Kept although excluded.
       */
      include?: string[];
    };
    /**
     * Modules that recipes name and this kernel package does not have at all: the image goes without, where it is otherwise refused.
     */
    missingModules?: string[];
  };
  boot:
    | {
        method: 'systemd-boot';
        package: DebianPackage;
        /**
         * File name below EFI/BOOT, such as BOOTX64.EFI.
         */
        efiName: string;
      }
    | {
        method: 'u-boot';
        package?: DebianPackage;
        /**
         * U-Boot is built from Debian's source package.
         */
        source?: {
          /**
           * Source package, such as u-boot.
           */
          package: string;
          architecture: 'amd64' | 'arm64' | 'armhf' | 'armel' | 'i386';
          /**
           * Configuration of the board in U-Boot's configs/, such as edison_defconfig.
           */
          base: string;
          /**
           * Files of settings beside this machine file; each setting is looked for in the configuration that came out.
           *
           * @minItems 1
           */
          fragments?: [Fragment, ...Fragment[]];
        };
        /**
         * The U-Boot program inside the package, such as usr/lib/u-boot/rpi_3/u-boot.bin; of a built one below its build folder, such as u-boot.bin.
         */
        file: string;
        /**
         * For boards whose flash holds a U-Boot of its own that starts a kernel from the boot partition: our U-Boot is wrapped as such a kernel and started by it.
         */
        uImage?: {
          /**
           * Where it is loaded and entered (its CONFIG_TEXT_BASE), such as 0x04000000.
           */
          address: string;
          /**
           * A device tree that the flash's U-Boot wants beside it.
           */
          deviceTree?: {
            /**
             * As in kernel.deviceTrees.
             */
            file: string;
            /**
             * File name on the boot partition.
             */
            target: string;
          };
        };
        /**
         * File name on the boot partition; omitted where the board's firmware holds U-Boot.
         */
        target?: string;
        /**
         * Files that the board's boot ROM needs on the boot partition. Without package and files: its own configuration alone, for firmware that is on the board.
         */
        firmware?: {
          package?: DebianPackage;
          /**
           * Where they stand inside the package.
           */
          folder?: string;
          /**
           * Globs below that folder.
           */
          files?: string[];
          /**
           * Text of config.txt.
           */
          config: string;
        };
        /**
         * Commands of U-Boot that boot.scr runs before it chooses a slot, for what it has to find out about the board. One that fails stops nothing.
         *
         * @minItems 1
         */
        script?: [string, ...string[]];
        /**
         * Load addresses where U-Boot's own defaults do not serve.
         */
        addresses?: {
          kernel?: string;
          deviceTree?: string;
          initrd?: string;
          script?: string;
          /**
           * Where booti unpacks a compressed kernel before it is moved to its place: room for the whole kernel, clear of the other addresses.
           */
          decompressed?: string;
        };
        /**
         * What the board's boot ROM reads from fixed places of the disk, outside of all partitions. They must neither reach into the partition table nor into the first partition (disk.sectorAlignment), nor into each other.
         *
         * @minItems 1
         */
        areas?: [
          {
            name: Name;
            /**
             * Program inside boot.package. Without one the area is written with zeros, such as where U-Boot keeps its environment.
             */
            file?: string;
            /**
             * Instead of file: one of `files`, by its name.
             */
            download?: string;
            /**
             * From the start of the disk; a multiple of 512.
             */
            offsetBytes: number;
            /**
             * Room for the program and its successors; a multiple of 512.
             */
            sizeBytes: number;
          },
          ...{
            name: Name;
            /**
             * Program inside boot.package. Without one the area is written with zeros, such as where U-Boot keeps its environment.
             */
            file?: string;
            /**
             * Instead of file: one of `files`, by its name.
             */
            download?: string;
            /**
             * From the start of the disk; a multiple of 512.
             */
            offsetBytes: number;
            /**
             * Room for the program and its successors; a multiple of 512.
             */
            sizeBytes: number;
          }[]
        ];
        /**
         * For boards whose chip's firmware (Intel's Tangier) finds U-Boot by a table in the boot code of the disk's first sector.
         */
        osip?: {
          /**
           * The boot area that the table points at.
           */
          area: string;
          /**
           * What the firmware loads from there; a multiple of 512.
           */
          sizeBytes: number;
          /**
           * Where it loads that, such as 0x01100000.
           */
          loadAddress: string;
          /**
           * Where it enters it.
           */
          entryAddress: string;
        };
        /**
         * Compress the kernel on the boot partition, for U-Boot to unpack (arm64 only; needs addresses.decompressed). Boards that read their card slowly start sooner.
         */
        kernelCompression?: 'gzip';
        /**
         * For a U-Boot that reads its environment from a file of the boot partition: its own defaults, with a start that noise on the serial line cannot stop.
         */
        environment?: {
          /**
           * CONFIG_ENV_FAT_FILE of that U-Boot.
           */
          file: string;
          /**
           * CONFIG_ENV_SIZE of that U-Boot.
           */
          sizeBytes: number;
        };
      };
  disk: {
    /**
     * Partition table. A boot ROM may want MBR.
     */
    table: 'gpt' | 'mbr';
    boot?: string;
    /**
     * Size of each of the two root slots.
     */
    root?: string;
    state?: string;
    /**
     * As shipped; it grows to fill the disk on first boot.
     */
    data?: string;
    sectorAlignment?: string;
  };
  /**
   * Files that no archive packages, such as first stages that the chip's maker signed. Each is put on the boot partition, or into one of boot.areas.
   *
   * @minItems 1
   */
  files?: [
    {
      /**
       * A file name, by which boot.areas and messages call it.
       */
      name: string;
      /**
       * An address (http:// or https://, without credentials), best of an exact commit or version.
       */
      url: string;
      /**
       * SHA-256 of the file, 64 lower-case digits. It is verified before anything is done with the file.
       */
      sha256: string;
      /**
       * SPDX identifier, or LicenseRef-… where there is none; for the bill of materials.
       */
      license?: string;
      /**
       * Path on the boot partition.
       */
      target?: string;
    },
    ...{
      /**
       * A file name, by which boot.areas and messages call it.
       */
      name: string;
      /**
       * An address (http:// or https://, without credentials), best of an exact commit or version.
       */
      url: string;
      /**
       * SHA-256 of the file, 64 lower-case digits. It is verified before anything is done with the file.
       */
      sha256: string;
      /**
       * SPDX identifier, or LicenseRef-… where there is none; for the bill of materials.
       */
      license?: string;
      /**
       * Path on the boot partition.
       */
      target?: string;
    }[]
  ];
  /**
   * Recipes that this board needs beside the build's own list, such as Wi-Fi firmware.
   */
  recipes?: Name[];
  /**
   * For boards with storage of their own: `osbuild image --flasher` makes a medium that writes it. Without it there is none.
   */
  flasher?: {
    /**
     * Which disks are the board's own, as patterns of the shell: with a slash for the disk's whole path below /sys/devices, such as * /481d8000.mmc/*, otherwise for its name, such as nvme*. The medium that the flasher runs from, disks on USB and SD cards never count. Where several are found, the owner names one in flasher.conf of the medium.
     *
     * @minItems 1
     */
    disks: [string, ...string[]];
  };
  /**
   * How an image gets onto this board, for image.json, where it is not written to a medium that the board starts from. {image} stands for the name of the image.
   *
   * @minItems 1
   */
  instructions?: [string, ...string[]];
  /**
   * How the yocto provider builds this machine. Without it only the debian provider does.
   */
  yocto?: {
    /**
     * MACHINE.
     */
    machine: string;
    /**
     * BSP layers, by their names in build.config.yaml.
     */
    layers?: string[];
    /**
     * Variables of local.conf.
     */
    settings?: {
      [k: string]: string;
    };
    /**
     * What is built beside the images, such as virtual/bootloader.
     */
    targets?: string[];
    /**
     * The kernel's file name in DEPLOY_DIR_IMAGE.
     */
    kernel: string;
    /**
     * Architecture of bitbake's kernel, where Debian's is another.
     */
    kernelArchitecture?: 'amd64' | 'arm64' | 'armhf' | 'armel' | 'i386';
    /**
     * Kernel parameters instead of kernel.commandLine, where bitbake's kernel names its devices otherwise.
     */
    commandLine?: string[];
    /**
     * Text of config.txt instead of boot.firmware.config.
     */
    firmwareConfig?: string;
    /**
     * Path on the boot partition → file in DEPLOY_DIR_IMAGE, for each of kernel.deviceTrees.
     */
    deviceTrees?: {
      [k: string]: string;
    };
    /**
     * <package>/<path in it> as `boot` names them → file in DEPLOY_DIR_IMAGE.
     */
    bootLoader?: {
      [k: string]: string;
    };
  };
  /**
   * How `osbuild run` and `osbuild test` emulate the board.
   */
  qemu?: {
    system: 'x86_64' | 'i386' | 'aarch64' | 'arm';
    machine: string;
    cpu?: string;
    cpus?: number;
    /**
     * Host threads for the emulated processors: one for each, or a single one in turn. single is quicker for boards whose processors spin while they wait to be started, and calmer on a busy host.
     */
    threads?: 'multi' | 'single';
    memoryMiB: number;
    /**
     * rom: the boot ROM of the emulated board reads the disk, as on the hardware; uefi: firmware from OVMF or AAVMF, boot loader from the disk; u-boot: the machine's U-Boot, given with -kernel or -bios; kernel: QEMU loads kernel, device tree and initrd itself.
     */
    boot: 'uefi' | 'rom' | 'u-boot' | 'kernel';
    /**
     * Path of the firmware program inside the emulation tools tree, where it is not the machine's own U-Boot.
     */
    firmware?: string;
    /**
     * Given to QEMU with boot: kernel, and with boot: u-boot where the firmware of the board would give one. With boot: rom, put in the place of the first of kernel.deviceTrees on the disk's copy.
     */
    deviceTree?: string;
    /**
     * sd: the card of a board that has a slot for it in QEMU; sd-card: a card put into the last slot of its chip, for boards whose slots QEMU leaves empty.
     */
    disk?: 'virtio' | 'sd' | 'sd-card' | 'nvme' | 'sata';
    /**
     * board: the adapter that the emulated board has on itself; usb-late: the adapter is plugged in when U-Boot starts the kernel, for emulated controllers that do not come back after U-Boot has used them.
     */
    network?: 'virtio' | 'usb' | 'usb-late' | 'e1000e' | 'board';
    /**
     * Which serial port of the emulated board carries the console.
     */
    console: number;
    /**
     * What a shutdown comes to. ends: the board switches itself off, and QEMU ends; halts: nothing on the board can switch it off, and its kernel says that it stands still.
     */
    powerOff?: 'ends' | 'halts';
    /**
     * What a restart comes to. ends: the chip is reset, as on the hardware, and QEMU ends; halts: what resets the chip is not emulated, and its kernel says that it failed.
     */
    restart?: 'ends' | 'halts';
    extraArguments?: string[];
    /**
     * Kernel parameters that only the emulation needs; with boot: u-boot they go through extra_uEnv.txt of the disk's copy. Not with boot: uefi.
     */
    extraCommandLine?: string[];
  };
  /**
   * What was verified of this machine.
   */
  verified?: {
    /**
     * board: on the hardware itself; emulated: this very image booted on an emulation of its own board; family: booted on an emulation of a board with the same chip or of the same family; userland: the same kernel package and the same userland booted as a virtual machine; layout: the image was built and its boot areas and files compared with what the hardware's documents ask for, nothing booted.
     */
    level: 'board' | 'emulated' | 'family' | 'userland' | 'layout';
    /**
     * What was done and seen, and what was not.
     */
    how: string;
  };
}
export interface DebianPackage {
  package: string;
  architecture: 'amd64' | 'arm64' | 'armhf' | 'armel' | 'i386' | 'all';
}
