import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readYaml } from '../../src/config/yaml.ts';
import { bootAreas, checkBootAreas, fillBootArea, type BootArea } from '../../src/image/boot-areas.ts';
import { planPartitions } from '../../src/image/partition-table.ts';

const KiB = 1024;
const machinesFolder = new URL('../../machines', import.meta.url).pathname;
const machines = await Promise.all(
  readdirSync(machinesFolder)
    .filter((file) => file.endsWith('.yaml'))
    .map(async (file) => ({ name: basename(file, '.yaml'), machine: await readYaml('machine', join(machinesFolder, file)) })),
);
const area = (name: string, offsetBytes: number, sizeBytes: number): BootArea => ({ name, file: `${name}.bin`, offsetBytes, sizeBytes });
const mbr = planPartitions('board', { table: 'mbr' });
const gpt = planPartitions('board', { table: 'gpt' });

/**
 * Where each chip and its first stage look, typed from their documents and not from the machine files: name, file, offset.
 *
 * AM335x: Technical Reference Manual SPRUH73, chapter Initialization, Memory Booting, MMC/SD cards: in raw mode the ROM
 * tries the sectors 0, 256, 512 and 768. Second stage: sector 0x300, as Debian's u-boot-omap says in its README.Debian
 * (`seek=256` for MLO and `seek=768` for u-boot.img, in sectors).
 *
 * i.MX 6: Reference Manual IMX6DQRM, chapter System Boot, Image Vector Table Offset and Initial Load Region Size: 1 KiB for
 * SD and eMMC. Second stage: Debian's u-boot-imx, README.Debian (`bs=1k seek=1` for SPL, `bs=1k seek=69` for u-boot.img).
 * The environment of mx6cuboxi: CONFIG_ENV_OFFSET=0xFE000, CONFIG_ENV_SIZE=0x2000 of U-Boot's configuration.
 *
 * Allwinner H3: Debian's u-boot-sunxi, README.Debian and U-Boot's doc/board/allwinner/sunxi.rst: the boot ROM looks for the
 * first stage at sector 16 of an SD card or eMMC; one file holds SPL and U-Boot.
 *
 * Exynos 5422: U-Boot's doc/README.odroid, 4: the blocks 1, 31, 63 and 2111 of an SD card for bl1, bl2, U-Boot and tzsw, as
 * sd_fuse/hardkernel_1mb_uboot/sd_fusing.1M.sh of Hardkernel's U-Boot writes them. The environment: CONFIG_ENV_OFFSET=0x310000 of
 * odroid-xu3_defconfig, which is params.bin at block 0x1880 of include/configs/odroid_xu3.h.
 *
 * Edison: its table in the first sector names the place (test/image/osip.test.ts); the stock board has U-Boot at 1 MiB, as edison-fw/meta-intel-edison
 * says in u-boot-osip.inc: sector 0x800.
 */
const sector = 512;
const am335x = [
  ['mlo', 'usr/lib/u-boot/am335x_evm/MLO', 256 * sector],
  ['u-boot', 'usr/lib/u-boot/am335x_evm/u-boot.img', 768 * sector],
];
const documented: Record<string, unknown[][]> = {
  'beaglebone-black': am335x,
  'beaglebone-green': am335x,
  'beaglebone-green-wifi': am335x,
  hummingboard: [
    ['spl', 'usr/lib/u-boot/mx6cuboxi/SPL', 1 * KiB],
    ['u-boot', 'usr/lib/u-boot/mx6cuboxi/u-boot.img', 69 * KiB],
    ['environment', null, 0xfe000],
  ],
  'orangepi-pc-plus': [['u-boot', 'usr/lib/u-boot/orangepi_pc_plus/u-boot-sunxi-with-spl.bin', 16 * sector]],
  'odroid-xu4': [
    ['bl1', 'bl1.bin.hardkernel', 1 * sector],
    ['bl2', 'bl2.bin.hardkernel.1mb_uboot', 31 * sector],
    ['u-boot', 'u-boot-dtb.bin', 63 * sector],
    ['tzsw', 'tzsw.bin.hardkernel', 2111 * sector],
    ['environment', null, 0x310000],
  ],
  'intel-edison': [['u-boot', 'u-boot.bin', 0x800 * sector]],
  nitrogen6x: [['u-boot', 'usr/lib/u-boot/nitrogen6q/u-boot-dtb.imx', 1 * KiB]],
};
/** Machines whose firmware reads the boot partition (test/image/boot-partition.test.ts), and those that QEMU starts. */
const withoutAreas = [
  ...['raspberry-pi', 'raspberrypi0', 'raspberrypi0-wifi', 'raspberrypi2', 'raspberrypi3', 'raspberrypi3-64', 'raspberrypi4-64', 'raspberrypi5', 'genericx86-64', 'parallella'],
  ...['qemux86-64', 'qemuarm', 'qemuarm64', 'qemuarmv5'],
];

describe('boot areas of the machines', () => {
  test('are known for every machine', () => {
    expect([...Object.keys(documented), ...withoutAreas].toSorted()).toEqual(machines.map(({ name }) => name).toSorted());
  });

  test.each(machines)('$name: at the offsets that its documents give', ({ name, machine }) => {
    expect(bootAreas(machine.boot).map(({ name: part, file, offsetBytes }) => [part, file, offsetBytes])).toEqual(documented[name] ?? []);
  });

  test.each(machines)('$name: clear of its partition table, its partitions and each other', ({ name, machine }) => {
    const layout = planPartitions(name, machine.disk);
    expect(() => checkBootAreas(layout, bootAreas(machine.boot), name)).not.toThrow();
  });
});

describe('areas that overlap are refused', () => {
  const refused = (layout: typeof mbr, areas: BootArea[]): string => {
    try {
      checkBootAreas(layout, areas, 'machines/board.yaml');
    } catch (error) {
      expect(error).toMatchObject({ code: 'OSB_CONFIG_INVALID', hint: expect.any(String) });
      return (error as Error).message;
    }
    return '';
  };

  test('with a GPT, where an MBR leaves room', () => {
    expect(refused(gpt, [area('spl', KiB, KiB)])).toBe('machines/board.yaml: boot.areas: spl begins at 1024, inside the GPT partition table, which ends at 17408');
    expect(refused(mbr, [area('spl', KiB, KiB)])).toBe('');
    expect(refused(gpt, [area('spl', 17 * KiB, KiB)])).toBe('');
    expect(refused(mbr, [area('spl', 0, KiB)])).toMatch(/the MBR partition table/);
  });

  test('with the first partition, and up to its first byte accepted', () => {
    expect(refused(mbr, [area('u-boot', 512 * KiB, 4 * KiB * KiB)])).toMatch(/^machines\/board\.yaml: boot\.areas: partition boot begins at 4194304, inside u-boot, which ends at 4718592/);
    expect(refused(mbr, [area('u-boot', 512 * KiB, 3584 * KiB)])).toBe('');
    expect(refused(mbr, [area('u-boot', 8 * KiB * KiB, KiB)])).toMatch(/u-boot begins at 8388608, inside partition boot/);
  });

  test('with each other, whatever their order', () => {
    expect(refused(mbr, [area('u-boot', 69 * KiB, 512 * KiB), area('spl', KiB, 69 * KiB)])).toMatch(/u-boot begins at 70656, inside spl, which ends at 71680/);
    expect(refused(mbr, [area('a', KiB, 100 * KiB), area('b', 10 * KiB, KiB), area('c', 200 * KiB, KiB)])).toMatch(/b begins at 10240, inside a/);
  });

  test('and so are those that do not begin and end with a sector', () => {
    expect(refused(mbr, [area('spl', 1000, KiB)])).toMatch(/does not begin and end with a sector/);
    expect(refused(mbr, [area('spl', KiB, 1000)])).toMatch(/does not begin and end with a sector/);
  });
});

describe('the bytes of an area', () => {
  test('are its program and zeros to its end, or zeros alone', () => {
    const bytes = fillBootArea(area('spl', KiB, KiB), Buffer.from('program'), 'f');
    expect(bytes.length).toBe(KiB);
    expect(bytes.toString('latin1').replace(/\0+$/, '')).toBe('program');
    expect(fillBootArea({ ...area('environment', KiB, KiB), file: null }, null, 'f').equals(Buffer.alloc(KiB))).toBe(true);
  });

  test('must hold the program', () => {
    expect(fillBootArea(area('spl', KiB, KiB), Buffer.alloc(KiB, 1), 'f').length).toBe(KiB);
    expect(() => fillBootArea(area('spl', KiB, KiB), Buffer.alloc(KiB + 1), 'machines/b.yaml')).toThrow(
      expect.objectContaining({ code: 'OSB_IMAGE_TOO_LARGE', hint: 'Set its sizeBytes in machines/b.yaml to 1536 or more, as far as the next area allows.' }),
    );
  });
});
