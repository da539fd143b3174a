import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readYaml } from '../../src/config/yaml.ts';
import { bootFiles, type BootFile, type BootOptions } from '../../src/image/boot-files.ts';
import { bootRoom } from '../../src/image/boot-room.ts';
import { ubootEnvironment } from '../../src/image/uboot-environment.ts';
import { packUbootKernel, packUbootScript } from '../../src/image/uboot-script.ts';
import { crc32 } from 'node:zlib';

const MiB = 1024 ** 2;
const machinesFolder = new URL('../../machines', import.meta.url).pathname;
const pc: BootOptions['machine'] = {
  kernel: { debian: { package: 'linux-image-amd64', architecture: 'amd64' } },
  boot: { method: 'systemd-boot', package: { package: 'systemd-boot-efi', architecture: 'amd64' }, efiName: 'BOOTX64.EFI' },
};
const pi: BootOptions['machine'] = {
  kernel: { debian: { package: 'linux-image-arm64', architecture: 'arm64' } },
  boot: {
    method: 'u-boot',
    package: { package: 'u-boot-rpi', architecture: 'arm64' },
    file: 'usr/lib/u-boot/rpi_3/u-boot.bin',
    target: 'u-boot.bin',
    addresses: { kernel: '0x08000000' },
    firmware: { package: { package: 'raspi-firmware', architecture: 'all' }, folder: 'usr/lib/raspi-firmware', files: ['start.elf'], config: 'kernel=u-boot.bin\n' },
  },
};
const common = { config: { hostname: 'here' }, commandLine: ['console=ttyS0', 'panic=10'], title: 'Minke OS', version: '1.2.3', epoch: 1_700_000_000 };
const pcSources = { deviceTrees: [], bootLoader: ['systemd-boot-efi/usr/lib/systemd/boot/efi/systemd-bootx64.efi'] };
const piSources = {
  deviceTrees: ['broadcom/bcm2837-rpi-3-b.dtb'],
  bootLoader: ['u-boot-rpi/usr/lib/u-boot/rpi_3/u-boot.bin', 'raspi-firmware/usr/lib/raspi-firmware/start.elf'],
};
const text = (files: BootFile[], path: string): string => {
  const content = files.find((file) => file.path === path)?.content;
  return Buffer.isBuffer(content) ? content.toString('latin1') : '';
};

describe('the boot partition', () => {
  test('of a PC: loader, entry of slot A, kernel and initrd below A/', () => {
    const files = bootFiles({ ...common, machine: pc }, pcSources);
    expect(files.map(({ path }) => path)).toEqual(['A/initrd', 'A/kernel', 'EFI/BOOT/BOOTX64.EFI', 'config.json', 'loader/entries/minke-a.conf', 'loader/loader.conf']);
    expect(text(files, 'loader/entries/minke-a.conf')).toBe(
      'title    Minke OS 1.2.3 (A)\nsort-key minke\nversion  1\nlinux    /A/kernel\ninitrd   /A/initrd\noptions  console=ttyS0 panic=10 minke.slot=A\n',
    );
    expect(text(files, 'loader/loader.conf')).toContain('default minke-*\ntimeout 0\n');
    expect(JSON.parse(text(files, 'config.json'))).toEqual({ hostname: 'here' });
  });

  test('of a PC with Secure Boot: a signed loader and kernel, no initrd beside it, an entry that chooses a signed command line, and keys for a firmware without any', () => {
    const verity = { rootHash: 'a'.repeat(64), salt: 'b'.repeat(64), dataBlocks: 5, hashStart: 5 };
    const files = bootFiles({ ...common, machine: pc, verity, unified: { enroll: ['KEK.auth', 'PK.auth', 'db.auth'] } }, pcSources);
    const keys = ['KEK.auth', 'PK.auth', 'db.auth'].map((name) => `loader/keys/auto/${name}`);
    expect(files.map(({ path }) => path)).toEqual(['A/kernel', 'EFI/BOOT/BOOTX64.EFI', 'config.json', 'loader/entries/minke-a.conf', ...keys, 'loader/loader.conf']);
    expect(files.find(({ path }) => path === 'EFI/BOOT/BOOTX64.EFI')?.content).toEqual({ from: 'loader' });
    expect(text(files, 'loader/entries/minke-a.conf')).toBe(
      `title    Minke OS 1.2.3 (A)\nsort-key minke\nversion  1\nlinux    /A/kernel\noptions  @0\n# minke.verity=${'a'.repeat(64)}:${'b'.repeat(64)}:5:5\n`,
    );
  });

  test('of a Raspberry Pi: firmware, U-Boot, its script, device trees for the slot and for the firmware', () => {
    const files = bootFiles({ ...common, machine: pi }, piSources);
    expect(files.map(({ path }) => path)).toEqual([
      'A/boot.env',
      'A/dtb/broadcom/bcm2837-rpi-3-b.dtb',
      'A/initrd',
      'A/kernel',
      'bcm2837-rpi-3-b.dtb',
      'boot.scr',
      'config.json',
      'config.txt',
      'minke/slot.env',
      'start.elf',
      'u-boot.bin',
    ]);
    expect(text(files, 'minke/slot.env')).toBe('slot=A\n');
    const script = text(files, 'boot.scr').slice(72);
    expect(script).toContain('setenv kernel_addr_r 0x08000000\n');
    expect(text(files, 'A/boot.env')).toBe('os_cmdline=console=ttyS0 panic=10\n');
    expect(script).toContain('setenv bootargs "${os_cmdline} ${os_verity} ${extra_os_cmdline} minke.slot=${slot} ${trial} minke.boot=PARTUUID=${boot_uuid}"');
    expect(script).toContain('booti ${kernel_addr_r} ${initrd} ${tree}');
  });

  test("tells of slot A's hash tree where the loader reads it: in the entry, or beside the slot's other parameters", () => {
    const verity = { rootHash: 'a'.repeat(64), salt: 'b'.repeat(64), dataBlocks: 5, hashStart: 5 };
    const parameter = `minke.verity=${'a'.repeat(64)}:${'b'.repeat(64)}:5:5`;
    expect(text(bootFiles({ ...common, machine: pc, verity }, pcSources), 'loader/entries/minke-a.conf')).toContain(`panic=10 minke.slot=A ${parameter}\n`);
    const files = bootFiles({ ...common, machine: pi, verity }, piSources);
    expect(text(files, 'A/verity.env')).toBe(`os_verity=${parameter}\n`);
    expect(text(files, 'A/boot.env')).toBe('os_cmdline=console=ttyS0 panic=10\n');
    // One that an earlier slot has set must not stay for the next.
    expect(text(files, 'boot.scr')).toContain('setenv os_verity; if load ${devtype} ${devnum}:${distro_bootpart} ${ramdisk_addr_r} ${slot}/verity.env; then env import -t ${ramdisk_addr_r} ${filesize} os_verity; fi;');
  });

  test('names overlays for the loader where the configuration of the image does, each once, to be tried', () => {
    const of = (overlays: string[]): string => text(bootFiles({ ...common, config: { os: { deviceTree: { overlays } } }, machine: pi }, piSources), 'minke/overlays.env');
    expect(of(['i2c', 'uart', 'i2c'])).toBe('overlay_before=none\noverlay_tries=1\noverlays=i2c uart\n\0');
    expect(of([])).toBe('');
    expect(bootFiles({ ...common, config: { os: { deviceTree: { overlays: ['i2c'] } } }, machine: pc }, pcSources).some(({ path }) => path.includes('overlays'))).toBe(false);
  });

  test('has a compressed kernel where the machine says so, and the script says how long it is and where to unpack it', () => {
    const boot = pi.boot.method === 'u-boot' ? { ...pi.boot, kernelCompression: 'gzip' as const } : pi.boot;
    const machine = { ...pi, boot: { ...boot, addresses: { kernel: '0x08000000', decompressed: '0x10000000' } } };
    const files = bootFiles({ ...common, machine }, piSources);
    expect(files.find(({ path }) => path === 'A/kernel')?.content).toEqual({ from: 'kernel', compression: 'gzip' });
    const script = text(files, 'boot.scr').slice(72);
    expect(script).toContain('setenv kernel_comp_addr_r 0x10000000\n');
    expect(script).toContain('${slot}/kernel && setenv kernel_comp_size ${filesize} && load');
    expect(() => bootFiles({ ...common, machine: { ...pi, boot } }, piSources)).toThrow(expect.objectContaining({ code: 'OSB_CONFIG_INVALID' }));
    expect(() => bootFiles({ ...common, machine: { ...machine, kernel: { debian: { package: 'linux-image-armmp', architecture: 'armhf' } } } }, piSources)).toThrow(/arm64 kernel/);
  });

  test('of a board whose flash starts a kernel: U-Boot is wrapped as one, with the device tree that it wants beside it', () => {
    const machine: BootOptions['machine'] = {
      kernel: { source: { package: 'linux-source-6.12', architecture: 'armhf', fragments: ['a.config'] } },
      boot: {
        method: 'u-boot',
        source: { package: 'u-boot', architecture: 'armhf', base: 'board_defconfig' },
        file: 'u-boot-dtb.bin',
        target: 'uImage',
        uImage: { address: '0x04000000', deviceTree: { file: 'board.dtb', target: 'devicetree.dtb' } },
      },
    };
    const sources = { deviceTrees: ['board.dtb'], bootLoader: ['u-boot/u-boot-dtb.bin'] };
    const files = new Map(bootFiles({ ...common, machine }, sources).map(({ path, content }) => [path, content]));
    expect(files.get('uImage')).toEqual({ from: 'bootLoader', wrapped: 'u-boot/u-boot-dtb.bin', address: 0x4000000 });
    expect(files.get('devicetree.dtb')).toEqual({ from: 'deviceTrees', member: 'board.dtb' });
    expect(text(bootFiles({ ...common, machine }, sources), 'boot.scr')).toContain('bootz ${kernel_addr_r} ${initrd} ${tree}');
    expect(() => bootFiles({ ...common, machine }, { ...sources, deviceTrees: ['other.dtb'] })).toThrow(expect.objectContaining({ code: 'OSB_PACKAGE_MISSING', hint: 'It holds: other.dtb.' }));
  });

  /**
   * The environment of the U-Boot in a Parallella's flash (parallella/parallella-flash, env.txt, sdboot_old, which runs where the first partition has no
   * uEnv.txt): uImage is read to 48 MiB, devicetree.dtb to 42 MiB, `bootm 0x3000000 - 0x2A00000`. Our U-Boot runs at CONFIG_TEXT_BASE of its
   * xilinx_zynq_virt_defconfig, 64 MiB. The kernel's tree stands in the slot under the name that u-boot/parallella.config gives as fdtfile.
   */
  test('of a Parallella is what the U-Boot in its flash asks for', async () => {
    const machine = await readYaml('machine', join(machinesFolder, 'parallella.yaml'));
    const sources = { deviceTrees: ['zynq-parallella.dtb', 'zynq-zc702.dtb'], bootLoader: ['u-boot/u-boot-dtb.bin'] };
    const files = new Map(bootFiles({ ...common, machine }, sources).map(({ path, content }) => [path, content]));
    expect(files.get('uImage')).toEqual({ from: 'bootLoader', wrapped: 'u-boot/u-boot-dtb.bin', address: 64 * MiB });
    expect(files.get('devicetree.dtb')).toEqual({ from: 'deviceTrees', member: 'zynq-parallella.dtb' });
    expect([...files.keys()]).toEqual(expect.arrayContaining(['boot.scr', 'A/dtb/zynq-parallella.dtb']));
    expect([...files.keys()]).not.toContain('uEnv.txt');
    expect(machine.disk.table).toBe('mbr');
    expect(readFileSync(join(machinesFolder, 'u-boot/parallella.config'), 'utf8')).toContain('setenv fdtfile zynq-parallella.dtb;');
  });

  test('of a board with U-Boot on x86: zboot with both sizes, and no word of device trees', () => {
    const machine: BootOptions['machine'] = {
      kernel: { source: { package: 'linux-source-6.12', architecture: 'i386', fragments: ['a.config'] } },
      boot: { method: 'u-boot', source: { package: 'u-boot', architecture: 'i386', base: 'edison_defconfig' }, file: 'u-boot.bin', addresses: { kernel: '0x04000000', initrd: '0x06000000' } },
    };
    const script = text(bootFiles({ ...common, machine }, { deviceTrees: [], bootLoader: ['u-boot/u-boot.bin'] }), 'boot.scr');
    expect(script).toContain('zboot ${kernel_addr_r} ${kernel_size} ${ramdisk_addr_r} ${filesize}; fi');
    expect(script).not.toMatch(/fdt|\btree\b/);
  });

  test('holds files by address under their targets; a target that something else has is refused', () => {
    const files = [{ name: 'a.dtbo', url: 'https://example.org/a.dtbo', sha256: 'a'.repeat(64), target: 'overlays/a.dtbo' }, { name: 'bl1.bin', url: 'https://example.org/bl1.bin', sha256: 'b'.repeat(64) }];
    const sources = { ...piSources, bootLoader: [...piSources.bootLoader, '_files/a.dtbo', '_files/bl1.bin'] };
    const of = (target: string): BootFile[] => bootFiles({ ...common, machine: { ...pi, files: [{ ...files[0], target }, files[1]] as NonNullable<BootOptions['machine']['files']> } }, sources);
    expect(of('overlays/a.dtbo').find(({ path }) => path === 'overlays/a.dtbo')?.content).toEqual({ from: 'bootLoader', member: '_files/a.dtbo' });
    expect(of('overlays/a.dtbo').some(({ path }) => path.includes('bl1'))).toBe(false);
    expect(() => of('CONFIG.TXT')).toThrow(expect.objectContaining({ code: 'OSB_CONFIG_INVALID', message: expect.stringContaining('CONFIG.TXT') }));
  });

  /**
   * What the firmware in a Raspberry Pi 5's EEPROM looks for on the first FAT partition: config.txt, the file that kernel= names, and
   * the device tree of the board by its upstream name; no start*.elf, for that is in the EEPROM (Raspberry Pi documentation, config.txt:
   * kernel, os_check, upstream_kernel; boot EEPROM). U-Boot then asks for fdtfile, broadcom/bcm2712-rpi-5-b.dtb in
   * board/raspberrypi/rpi/rpi.c of U-Boot 2025.01, and keeps its environment in uboot.env (CONFIG_ENV_FAT_FILE of rpi_arm64).
   */
  test('of the Raspberry Pi 5, as its machine file says', async () => {
    const machine = await readYaml('machine', new URL('../../machines/raspberrypi5.yaml', import.meta.url).pathname);
    const sources = { deviceTrees: ['broadcom/bcm2712-d-rpi-5-b.dtb', 'broadcom/bcm2712-rpi-5-b.dtb'], bootLoader: ['u-boot-rpi/usr/lib/u-boot/rpi_arm64/u-boot.bin'] };
    const files = bootFiles({ ...common, machine }, sources);
    expect(files.map(({ path }) => path)).toEqual([
      'A/boot.env',
      'A/dtb/broadcom/bcm2712-d-rpi-5-b.dtb',
      'A/dtb/broadcom/bcm2712-rpi-5-b.dtb',
      'A/initrd',
      'A/kernel',
      'bcm2712-d-rpi-5-b.dtb',
      'bcm2712-rpi-5-b.dtb',
      'boot.scr',
      'config.json',
      'config.txt',
      'minke/slot.env',
      'u-boot.bin',
      'uboot.env',
    ]);
    expect(text(files, 'config.txt').split('\n')).toEqual(expect.arrayContaining(['arm_64bit=1', 'enable_uart=1', 'os_check=0', 'kernel=u-boot.bin']));
    const script = text(files, 'boot.scr').slice(72);
    // The stepping is known before a slot's tree is loaded, and both slots profit.
    expect(script.indexOf('setenv fdtfile broadcom/bcm2712-d-rpi-5-b.dtb')).toBeGreaterThan(0);
    expect(script.indexOf('setenv fdtfile broadcom/bcm2712-d-rpi-5-b.dtb')).toBeLessThan(script.indexOf('setenv minke_start'));
  });

  test('has the message of a file that a package lacks, with what is there', () => {
    expect(() => bootFiles({ ...common, machine: pc }, { deviceTrees: [], bootLoader: ['systemd-boot-efi/usr/lib/systemd/boot/efi/systemd-bootaa64.efi'] })).toThrow(
      expect.objectContaining({ code: 'OSB_PACKAGE_MISSING', hint: expect.stringContaining('systemd-bootaa64.efi') }),
    );
  });
});

test('a U-Boot script has a header whose sums are right', () => {
  const image = packUbootScript('echo hello\n', 1_700_000_000);
  const header = Buffer.from(image.subarray(0, 64));
  const sum = header.readUInt32BE(4);
  header.writeUInt32BE(0, 4);
  expect(sum).toBe(crc32(header));
  expect(header.readUInt32BE(24)).toBe(crc32(image.subarray(64)));
  expect(header.readUInt32BE(12)).toBe(image.length - 64);
  expect(image.readUInt32BE(64)).toBe(11);
  expect(image.toString('latin1', 72)).toBe('echo hello\n');
});

test('a program wrapped as a kernel says where it is loaded and entered, and that it is a kernel for ARM', () => {
  const image = packUbootKernel(Buffer.from('program'), 0x4000000, 1_700_000_000);
  expect([...image.subarray(28, 32)]).toEqual([5, 2, 2, 0]);
  expect([image.readUInt32BE(0), image.readUInt32BE(12), image.readUInt32BE(16), image.readUInt32BE(20)]).toEqual([0x27051956, 7, 0x4000000, 0x4000000]);
  expect(image.readUInt32BE(24)).toBe(crc32(Buffer.from('program')));
  expect(image.toString('latin1', 64)).toBe('program');
});

test('a boot partition needs room for both slots and for a new copy of its largest shared file', () => {
  const sizes = new Map([['A/kernel', 30 * MiB], ['A/initrd', 5 * MiB], ['u-boot.bin', MiB], ['start.elf', 3 * MiB]]);
  const { needBytes } = bootRoom(sizes);
  expect(needBytes).toBeGreaterThan((2 * 35 + 4 + 3) * MiB);
  expect(needBytes).toBeLessThan((2 * 35 + 4 + 3) * MiB * 1.02);
});

describe('an environment of U-Boot', () => {
  const defaults = ['bootcmd=bootflow scan', 'bootdelay=2', 'usb_ignorelist=0x1050:*,', 'stdin=serial,usbkbd'];
  const program = (texts: string[]): Buffer => Buffer.from(`code\0eth%dmacskip\0\x01\x02${'\0'}${texts.join('\0')}\0\0more=text\0`, 'latin1');

  test('holds the defaults of the program with one changed, its sum first, in its full size', () => {
    const file = ubootEnvironment(program(defaults), { bootdelay: '-2' }, 1024, 'u-boot.bin');
    expect(file.length).toBe(1024);
    expect(file.readUInt32LE(0)).toBe(crc32(file.subarray(4)));
    expect(file.toString('latin1', 4).replace(/\0+$/, '').split('\0')).toEqual([defaults[0], 'bootdelay=-2', ...defaults.slice(2)]);
  });

  test('is refused where the program has no defaults, or more than fit', () => {
    expect(() => ubootEnvironment(program(['hello=1']), {}, 1024, 'u-boot.bin')).toThrow(/u-boot\.bin/);
    expect(() => ubootEnvironment(program(['bootdelay=2']), {}, 1024, 'u-boot.bin')).toThrow(/cannot be read/);
    expect(() => ubootEnvironment(program([...defaults, `long=${'x'.repeat(1024)}`]), {}, 1024, 'u-boot.bin')).toThrow(/more than the 1024/);
  });
});
