import { crc32 } from 'node:zlib';
import type { Machine } from '../model/index.ts';
import { applyOverlays, chooseOverlays, defineOverlays, forgetOverlays } from './uboot-overlays.ts';

/** bootz: 32-bit ARM; booti: 64-bit ARM; zboot: x86. */
export type BootCommand = 'booti' | 'bootz' | 'zboot';

/** Where the loader puts what it loads; U-Boot's own variables where the machine says nothing. */
type Addresses = NonNullable<Extract<Machine['boot'], { method: 'u-boot' }>['addresses']>;

/**
 * Source of boot.scr. It reads the slot from minke/slot.env, starts that slot's kernel, device tree and initrd with the parameters of its boot.env and of its verity.env (its
 * hash tree's, where it has one),
 * and takes the other slot when files of the first cannot be read. A slot that an update has just written is named in minke/try.env: it is
 * started once, which is written down before; a loader that cannot write does not try it. `extra_os_cmdline` of the owner's extra_uEnv.txt (the
 * names that balenaOS has for it) adds kernel parameters; no other variable is taken from that file. Overlays that minke/overlays.env names are applied
 * to the device tree (./uboot-overlays.ts). U-Boot's bootstd sets devtype, devnum and distro_bootpart.
 */
export function ubootScript(options: { addresses: Addresses; prologue?: readonly string[]; bootCommand: BootCommand; deviceTrees: boolean }): string {
  const { addresses, prologue = [], bootCommand, deviceTrees } = options;
  const set = Object.entries({ kernel_addr_r: addresses.kernel, fdt_addr_r: addresses.deviceTree, ramdisk_addr_r: addresses.initrd, kernel_comp_addr_r: addresses.decompressed });
  const from = '${devtype} ${devnum}:${distro_bootpart}';
  const hasTree = bootCommand !== 'zboot';
  const load = bootCommand === 'zboot' ? loadAndZboot(from) : loadAndBoot(from, bootCommand, deviceTrees);
  const start =
    `setenv os_cmdline; ${take(from, '${slot}/boot.env', 'os_cmdline')}; setenv os_verity; ${take(from, '${slot}/verity.env', 'os_verity')}; ` +
    `setenv bootargs "\${os_cmdline} \${os_verity} \${extra_os_cmdline} minke.slot=\${slot} \${trial} minke.boot=PARTUUID=\${boot_uuid}"; ${load}`;
  return [
    '# Written by osbuild.',
    ...set.flatMap(([name, value]) => (value === undefined ? [] : [`setenv ${name} ${value}`])),
    ...prologue,
    'setenv slot A',
    take(from, 'minke/slot.env', 'slot'),
    'setenv try',
    'setenv tries',
    'setenv trial',
    take(from, 'minke/try.env', 'try tries'),
    'if test "${tries}" = 1; then',
    '  setenv tries 0',
    '  env export -t ${ramdisk_addr_r} tries try',
    `  if fatwrite ${from} \${ramdisk_addr_r} minke/try.env \${filesize}; then setenv slot \${try}; setenv trial minke.trial; else echo "Minke OS: slot \${try} is not tried, for that could not be written down"; fi`,
    'fi',
    take(from, 'extra_uEnv.txt', 'extra_os_cmdline'),
    ...(hasTree ? [...chooseOverlays(from), defineOverlays(from)] : []),
    `part uuid ${from} boot_uuid`,
    ...(hasTree ? ['setenv board_tree ${fdt_addr}', 'if test -z "${board_tree}"; then setenv board_tree ${fdtcontroladdr}; fi'] : []),
    `setenv minke_start '${start}'`,
    'echo "Minke OS: starting slot ${slot}"',
    'run minke_start',
    'if test "${slot}" = A; then setenv slot B; else setenv slot A; fi',
    'setenv trial',
    ...(hasTree ? [forgetOverlays] : []),
    'echo "Minke OS: that slot cannot be started, trying slot ${slot}"',
    'run minke_start',
    'echo "Minke OS: no slot can be started, trying again"',
    'sleep 10',
    'reset',
    '',
  ].join('\n');
}

/** Takes variables from a file of the boot partition, where there is one. */
const take = (from: string, file: string, names: string): string => `if load ${from} \${ramdisk_addr_r} ${file}; then env import -t \${ramdisk_addr_r} \${filesize} ${names}; fi`;

function loadAndBoot(from: string, bootCommand: 'booti' | 'bootz', deviceTrees: boolean): string {
  // The board's own tree (from its firmware, or QEMU's) serves where the slot brings none for this board.
  const tree = `setenv tree \${board_tree}; ${deviceTrees ? `if load ${from} \${fdt_addr_r} \${slot}/dtb/\${fdtfile}; then setenv tree \${fdt_addr_r}; fi; ` : ''}`;
  // booti looks at the size only where it finds a compressed kernel. Overlays are read to where kernel and initrd come afterwards.
  // A USB controller that U-Boot leaves running does not tell Linux of what is plugged in (seen with dwc2 of QEMU).
  return (
    `${tree}${applyOverlays}; ` +
    `if load ${from} \${kernel_addr_r} \${slot}/kernel && setenv kernel_comp_size \${filesize} && load ${from} \${ramdisk_addr_r} \${slot}/initrd; then ` +
    `setenv initrd \${ramdisk_addr_r}:\${filesize}; usb stop; ${bootCommand} \${kernel_addr_r} \${initrd} \${tree}; fi`
  );
}

/** x86 has no device tree, and takes the sizes of kernel and initrd by themselves. */
function loadAndZboot(from: string): string {
  return (
    `if load ${from} \${kernel_addr_r} \${slot}/kernel && setenv kernel_size \${filesize} && load ${from} \${ramdisk_addr_r} \${slot}/initrd; then ` +
    'zboot ${kernel_addr_r} ${kernel_size} ${ramdisk_addr_r} ${filesize}; fi'
  );
}

/** A script as U-Boot's `source` takes it: the text, preceded by its length and an empty one. */
export function packUbootScript(script: string, epoch: number): Buffer {
  const text = Buffer.from(script);
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(text.length, 0);
  return packLegacyImage(Buffer.concat([lengths, text]), { type: 6, address: 0 }, epoch);
}

/** A program as `bootm` starts it in place of a Linux kernel for ARM. */
export function packUbootKernel(program: Buffer, address: number, epoch: number): Buffer {
  return packLegacyImage(program, { type: 2, address }, epoch);
}

/** U-Boot's legacy image format (include/image.h of U-Boot): Linux, ARM (a script of which any architecture takes), not compressed. */
function packLegacyImage(data: Buffer, { type, address }: { type: number; address: number }, epoch: number): Buffer {
  const header = Buffer.alloc(64);
  header.writeUInt32BE(0x27051956, 0);
  header.writeUInt32BE(epoch, 8);
  header.writeUInt32BE(data.length, 12);
  header.writeUInt32BE(address, 16);
  header.writeUInt32BE(address, 20);
  header.writeUInt32BE(crc32(data), 24);
  header.set([5, 2, type, 0], 28);
  header.write('Minke OS', 32, 'latin1');
  header.writeUInt32BE(crc32(header), 4);
  return Buffer.concat([header, data]);
}
