import { debianArchitectures, type Arch, type DebianArchitecture } from '../model/index.ts';

/** Packages of the emulation tools tree, besides what every tools tree has. */
export const emulationPackages: readonly string[] = [
  'bash',
  'coreutils',
  'dash',
  'docker-cli',
  'docker-registry',
  'e2fsprogs',
  'ipxe-qemu',
  'mtools',
  'ovmf',
  'qemu-efi-aarch64',
  'qemu-system-arm',
  'qemu-system-x86',
  'u-boot-qemu',
  'zstd',
];

/** Emulated controllers of Bluetooth: one program, which runs on the board, beside BlueZ. */
export const bluetoothPackages: readonly string[] = ['bluez-test-tools'];
export const bluetoothProgram = 'usr/bin/btvirt';

/** What the boot test's container is made of: one static program, unpacked for the board's architecture and never run here. */
export function busyboxPackages(arch: Arch): { architecture: DebianArchitecture; packages: string[]; program: string } {
  return { architecture: debianArchitectures[arch], packages: ['busybox-static'], program: 'usr/bin/busybox' };
}
