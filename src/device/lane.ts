import { copyFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { OsbuildError, type Machine } from '../model/index.ts';
import { addKernelParameters, readBootFile, writeBootFile, type DiskCopy } from './disk-copy.ts';
import type { HotPlug } from './hot-plug.ts';
import { qemuCommand, type QemuFiles, type QemuOptions } from './qemu-command.ts';
import type { ToolsTree, TreeCommand } from './tools-tree.ts';

/** UEFI programs and variable stores in the emulation tools tree. */
const uefi: Record<string, { code: string; variables: string }> = {
  x86_64: { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
  aarch64: { code: '/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd', variables: '/usr/share/AAVMF/AAVMF_VARS.fd' },
};

/** Starts signed programs alone as soon as it has keys; its variables can be written from system management mode only. */
const secureUefi: Record<string, string> = { x86_64: '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd' };

const controlSocket = 'qmp.sock';

/** A machine made ready to be emulated: its files stand beside its disk, and starting it twice is starting it again. */
export interface Lane {
  machine: Machine;
  disk: DiskCopy;
  /** What has to be plugged in while the board starts; null for most. */
  hotPlug: HotPlug | null;
  /** QEMU's control socket on the host, while a board runs that takes what is plugged in (`usbPort`) or has a screen. */
  controlSocket: string;
  /** The command for the tools tree's sandbox, where the disk's folder is /disk. `stick`, `capture` and `writeLog` are names of files beside the disk. */
  command(name: string, options: Omit<QemuOptions, 'capture' | 'control'> & { capture?: string; stick?: string; writeLog?: string }): TreeCommand;
}

/** Takes what the lane needs beside the disk: UEFI variables of its own, or the U-Boot that stands on the boot partition. `secureBoot`: a firmware that has it, without keys yet. */
export async function prepareLane(machine: Machine, disk: DiskCopy, tree: ToolsTree, { secureBoot = false } = {}): Promise<Lane> {
  const folder = dirname(disk.path);
  await passKernelParameters(machine, disk, tree);
  const files: QemuFiles = { disk: '/disk/disk.img', ...(await bootFiles(machine, disk, tree, folder)), ...(secureBoot ? secureFirmware(machine) : {}) };
  const variables = async (name: string): Promise<string> => (await readBootFile(disk, name, tree))?.toString('latin1') ?? '';
  const commandLine = machine.qemu?.boot === 'kernel' ? kernelParameters(await variables('A/boot.env'), await variables('A/verity.env')) : [];
  const late = machine.qemu?.network === 'usb-late';
  return {
    machine,
    disk,
    controlSocket: join(folder, controlSocket),
    hotPlug: late ? { socket: join(folder, controlSocket), device: { driver: 'usb-net', netdev: 'net', id: 'adapter' } } : null,
    command: (name, { capture, stick, writeLog, ...options }) => ({
      name,
      argv: qemuCommand(machine, { ...files, ...(stick === undefined ? {} : { stick: `/disk/${stick}` }), ...(writeLog === undefined ? {} : { writeLog: `/disk/${writeLog}` }) }, { ...options, ...(commandLine.length === 0 ? {} : { commandLine }), ...(late || options.usbPort === true || options.screen === true ? { control: `/disk/${controlSocket}` } : {}), ...(capture === undefined ? {} : { capture: `/disk/${capture}` }) }),
      mounts: { '/disk': { path: folder, rw: true }, ...(options.accelerator === 'kvm' ? { '/dev/kvm': { path: '/dev/kvm', rw: true } } : {}) },
    }),
  };
}

/** Parameters that only the emulation needs go the way of the owner's own; with boot: kernel QEMU hands them over itself. */
async function passKernelParameters({ description, qemu }: Machine, disk: DiskCopy, tree: ToolsTree): Promise<void> {
  const words = qemu?.extraCommandLine ?? [];
  if (words.length === 0 || qemu?.boot === 'kernel') return;
  if (qemu?.boot === 'uefi') throw new OsbuildError('OSB_CONFIG_INVALID', `${description}: qemu.extraCommandLine does not reach a kernel that is booted by UEFI`, { hint: 'use kernel.commandLine of the machine' });
  await addKernelParameters(disk, words, tree);
}

/** What U-Boot's script would start slot A with, where QEMU has to stand in for U-Boot: the slot's own, without those that only the script knows. */
export function kernelParameters(environment: string, verity: string): string[] {
  const words = /^os_cmdline=(.*)$/m.exec(environment)?.[1]?.split(' ').filter(Boolean) ?? [];
  if (words.length === 0) throw new OsbuildError('OSB_BOOT_TEST_FAILED', 'A/boot.env of the image sets no kernel parameters', { hint: 'qemu.boot: kernel needs a machine that is started by U-Boot' });
  const tree = /^os_verity=(.*)$/m.exec(verity)?.[1];
  return [...words, ...(tree === undefined ? [] : [tree]), 'minke.slot=A'];
}

async function bootFiles(machine: Machine, disk: DiskCopy, tree: ToolsTree, folder: string): Promise<Partial<QemuFiles>> {
  const { qemu, boot } = machine;
  switch (qemu?.boot) {
    case 'uefi': {
      const store = uefi[qemu.system];
      if (!store) throw new OsbuildError('OSB_CONFIG_INVALID', `there is no UEFI firmware for qemu-system-${qemu.system}`);
      await copyFile(join(tree.folder, store.variables), join(folder, 'uefi-variables.fd'));
      return { firmware: qemu.firmware ?? store.code, firmwareVariables: '/disk/uefi-variables.fd' };
    }
    case 'u-boot': {
      if (boot.method !== 'u-boot') throw new OsbuildError('OSB_CONFIG_INVALID', `${machine.description}: qemu.boot is u-boot, but boot.method is ${boot.method}`);
      if (qemu.firmware !== undefined || boot.target === undefined) return { firmware: qemu.firmware ?? `/${boot.file}` };
      // The board's own boot ROM and firmware are not emulated: QEMU stands in for them and starts the U-Boot of the card.
      const program = await readBootFile(disk, boot.target, tree);
      await writeFile(join(folder, 'u-boot.bin'), program ?? '');
      return { kernel: '/disk/u-boot.bin', ...(await firmwareDeviceTree(machine, disk, tree, folder)) };
    }
    case 'kernel': {
      const [kernel, initrd] = [await readBootFile(disk, 'A/kernel', tree), await readBootFile(disk, 'A/initrd', tree)];
      await writeFile(join(folder, 'kernel'), kernel ?? '');
      await writeFile(join(folder, 'initrd'), initrd ?? '');
      return { kernel: '/disk/kernel', initrd: '/disk/initrd', ...(await firmwareDeviceTree(machine, disk, tree, folder)) };
    }
    case 'rom':
      await putDeviceTree(machine, disk, tree);
      return {};
    case undefined:
      return {};
  }
}

function secureFirmware({ description, qemu }: Machine): Pick<QemuFiles, 'firmware' | 'secure'> {
  const firmware = qemu?.boot === 'uefi' ? secureUefi[qemu.system] : undefined;
  if (firmware === undefined) throw new OsbuildError('OSB_USAGE', `${description}: there is no firmware with Secure Boot for its emulation`, { hint: 'the suite is for PCs with UEFI, genericx86-64 for example' });
  return { firmware, secure: true };
}

/** Where QEMU's board is not the very board: its U-Boot looks for the board's own device tree, and finds that of QEMU's. */
async function putDeviceTree({ qemu, kernel }: Machine, disk: DiskCopy, tree: ToolsTree): Promise<void> {
  const [own] = kernel.deviceTrees ?? [];
  if (qemu?.deviceTree === undefined || own === undefined) return;
  const content = await readBootFile(disk, `A/dtb/${qemu.deviceTree}`, tree);
  await writeBootFile(disk, `A/dtb/${own}`, content ?? Buffer.alloc(0), tree);
}

/** The device tree that the board's firmware would hand over. */
async function firmwareDeviceTree(machine: Machine, disk: DiskCopy, tree: ToolsTree, folder: string): Promise<Partial<QemuFiles>> {
  const name = machine.qemu?.deviceTree ?? machine.kernel.deviceTrees?.[0];
  if (name === undefined) return {};
  const content = await readBootFile(disk, `A/dtb/${name}`, tree);
  await writeFile(join(folder, 'board.dtb'), content ?? '');
  return { deviceTree: '/disk/board.dtb' };
}
