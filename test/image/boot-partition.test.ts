import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readYaml } from '../../src/config/yaml.ts';
import { bootFiles } from '../../src/image/boot-files.ts';

const machinesFolder = new URL('../../machines', import.meta.url).pathname;
const machines = await Promise.all(
  readdirSync(machinesFolder)
    .filter((file) => file.endsWith('.yaml'))
    .map(async (file) => ({ name: basename(file, '.yaml'), machine: await readYaml('machine', join(machinesFolder, file)) })),
);

/** At the top of the boot partition beside what is ours on every machine; what the packages give for it; config.txt, where there is one, without its comments. */
interface Documented {
  files: string[];
  members?: string[];
  trees?: string[];
  config?: string[];
}

/**
 * What each board's firmware looks for on the boot partition, typed from its documents and not from the machine files.
 *
 * Raspberry Pi: raspberrypi/documentation, "Boot folder contents": bootcode.bin for the boards before the Pi 4 (which has it in its EEPROM), start.elf and fixup.dat,
 * start4.elf and fixup4.dat for the Pi 4; the Pi 5 has all of them in its EEPROM. "Device tree loading": with upstream_kernel=1 the names are those of mainline. Which one: U-Boot's
 * board/raspberrypi/rpi/rpi.c, rpi_models_old_scheme and rpi_models_new_scheme. config.txt: "arm_64bit" is off by default before the Pi 4; "kernel"; "enable_uart"; the Pi 5 looks for a
 * system that it knows unless os_check=0.
 *
 * UEFI specification 2.10, 3.5.1.1: \EFI\BOOT\BOOTX64.EFI on removable media, and Boot Loader Specification, type 1, for loader/.
 *
 * Parallella: parallella/parallella-flash, env.txt, sdboot_old: the U-Boot in the flash reads uImage and devicetree.dtb.
 *
 * QEMU's machines get U-Boot or the kernel from QEMU. Boards whose ROM reads sectors have their programs in areas (boot-areas.test.ts). uboot.env is the CONFIG_ENV_FAT_FILE
 * of the builds that have one. The Nitrogen6X starts from a NOR flash, into which
 * its U-Boot writes the one that lies on the card (U-Boot's board/boundary/nitrogen6x/6x_upgrade.txt).
 */
const uboot = (folder: string): string => `u-boot-rpi/usr/lib/u-boot/${folder}/u-boot.bin`;
const firmware = (...names: string[]): string[] => names.map((name) => `raspi-firmware/usr/lib/raspi-firmware/${name}`);
const videoCore4 = ['bootcode.bin', 'start.elf', 'fixup.dat'];
function pi(folder: string, programs: string[], trees: string[], config: string[]): Documented {
  return {
    files: [...programs, 'config.txt', 'u-boot.bin', 'uboot.env', ...trees.map((tree) => basename(tree))],
    members: [uboot(folder), ...firmware(...programs)],
    trees,
    config: [...config, 'enable_uart=1', 'kernel=u-boot.bin', 'upstream_kernel=1'].toSorted(),
  };
}
const pi3 = pi('rpi_3', videoCore4, ['3-a-plus', '3-b', '3-b-plus', 'cm3-io3', 'zero-2-w'].map((board) => `broadcom/bcm2837-rpi-${board}.dtb`), ['arm_64bit=1']);
const pc: Documented = { files: ['EFI', 'loader'], members: ['systemd-boot-efi/usr/lib/systemd/boot/efi/systemd-bootx64.efi'] };
/** Whose first stages do not read it, and what U-Boot keeps there. */
const elsewhere = (member: string, ...files: string[]): Documented => ({ files, members: [member] });
const am335x = elsewhere('u-boot-omap/usr/lib/u-boot/am335x_evm/u-boot.img');
const documented: Record<string, Documented> = {
  'raspberry-pi': pi('rpi', videoCore4, ['a', 'a-plus', 'b', 'b-rev2', 'b-plus', 'cm1-io1'].map((board) => `bcm2835-rpi-${board}.dtb`), []),
  raspberrypi0: pi('rpi', videoCore4, ['bcm2835-rpi-zero.dtb'], []),
  'raspberrypi0-wifi': pi('rpi_0_w', videoCore4, ['bcm2835-rpi-zero-w.dtb'], []),
  raspberrypi2: pi('rpi_2', videoCore4, ['bcm2836-rpi-2-b.dtb'], []),
  raspberrypi3: pi3,
  'raspberrypi3-64': pi3,
  'raspberrypi4-64': pi('rpi_4', ['start4.elf', 'fixup4.dat'], ['4-b', '400', 'cm4-io'].map((board) => `broadcom/bcm2711-rpi-${board}.dtb`), ['arm_64bit=1']),
  raspberrypi5: pi('rpi_arm64', [], ['broadcom/bcm2712-rpi-5-b.dtb', 'broadcom/bcm2712-d-rpi-5-b.dtb'], ['arm_64bit=1', 'os_check=0']),
  'genericx86-64': pc,
  'qemux86-64': pc,
  parallella: { files: ['uImage', 'devicetree.dtb'], members: ['u-boot/u-boot-dtb.bin'], trees: ['zynq-parallella.dtb', 'zynq-zc702.dtb'] },
  'beaglebone-black': am335x,
  'beaglebone-green': am335x,
  'beaglebone-green-wifi': am335x,
  hummingboard: elsewhere('u-boot-imx/usr/lib/u-boot/mx6cuboxi/u-boot.img'),
  nitrogen6x: elsewhere('u-boot-imx/usr/lib/u-boot/nitrogen6q/u-boot-dtb.imx', 'u-boot-dtb.imx'),
  'orangepi-pc-plus': elsewhere('u-boot-sunxi/usr/lib/u-boot/orangepi_pc_plus/u-boot-sunxi-with-spl.bin', 'uboot.env'),
  'odroid-xu4': elsewhere('u-boot/u-boot-dtb.bin'),
  'intel-edison': elsewhere('u-boot/u-boot.bin'),
  qemuarm: elsewhere('u-boot-qemu/usr/lib/u-boot/qemu_arm/u-boot.bin'),
  qemuarm64: elsewhere('u-boot-qemu/usr/lib/u-boot/qemu_arm64/u-boot.bin'),
  qemuarmv5: elsewhere('u-boot-qemu/usr/lib/u-boot/qemu_arm/u-boot.bin'),
};

describe('the boot partition of each machine', () => {
  test('is known for every machine', () => {
    expect(Object.keys(documented).toSorted()).toEqual(machines.map(({ name }) => name).toSorted());
  });
  test.each(machines)('$name', ({ name, machine }) => {
    const { files, members = [], trees = [], config } = documented[name] ?? { files: [] };
    const common = { config: { hostname: 'here' }, commandLine: ['quiet'], title: 'Minke OS', version: '1', epoch: 1_700_000_000 };
    const written = bootFiles({ ...common, machine }, { deviceTrees: trees, bootLoader: members });
    const tops = new Set(written.map(({ path }) => path.split('/')[0] ?? ''));
    for (const ours of ['A', 'boot.scr', 'config.json', 'minke']) tops.delete(ours);
    expect([...tops].toSorted()).toEqual(files.toSorted());
    const content = written.find(({ path }) => path === 'config.txt')?.content;
    const lines = Buffer.isBuffer(content) ? content.toString('latin1').split('\n').filter((line) => line !== '' && !line.startsWith('#')) : undefined;
    expect(lines?.toSorted()).toEqual(config);
  });
});
