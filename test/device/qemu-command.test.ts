import { describe, expect, test } from 'vitest';

import { qemuCommand, type QemuOptions } from '../../src/device/qemu-command.ts';
import type { Machine } from '../../src/model/index.ts';

const options: QemuOptions = { forward: [{ host: 40022, guest: 22222 }], console: 'plain', endOnReset: true, accelerator: 'tcg' };

const base = { arch: 'aarch64', kernel: { debian: { package: 'linux-image-arm64', architecture: 'arm64' } }, disk: { table: 'gpt' } } as const;

const pi: Machine = {
  ...base,
  description: 'a Pi',
  boot: { method: 'u-boot', package: { package: 'u-boot-rpi', architecture: 'arm64' }, file: 'u-boot.bin', target: 'u-boot.bin' },
  qemu: { system: 'aarch64', machine: 'raspi3b', threads: 'single', memoryMiB: 1024, boot: 'u-boot', disk: 'sd', network: 'usb', console: 1 },
};

const pc: Machine = {
  ...base,
  arch: 'amd64',
  description: 'a PC',
  boot: { method: 'systemd-boot', package: { package: 'systemd-boot-efi', architecture: 'amd64' }, efiName: 'BOOTX64.EFI' },
  qemu: { system: 'x86_64', machine: 'q35', cpu: 'max', cpus: 2, memoryMiB: 1024, boot: 'uefi', disk: 'nvme', console: 0, extraArguments: ['-device', 'qemu-xhci'] },
};

describe('the QEMU command of a machine', () => {
  test('a Raspberry Pi: U-Boot of the card, SD, USB network, second serial port', () => {
    const words = qemuCommand(pi, { disk: '/disk/disk.img', kernel: '/disk/u-boot.bin', deviceTree: '/disk/board.dtb' }, options);
    expect(words).toEqual([
      'qemu-system-aarch64', '-no-user-config', '-nodefaults', '-machine', 'raspi3b', '-accel', 'tcg,thread=single', '-m', '1024M', '-display', 'none',
      '-monitor', 'none', '-serial', 'null', '-serial', 'stdio', '-no-reboot',
      '-kernel', '/disk/u-boot.bin', '-dtb', '/disk/board.dtb',
      '-drive', 'if=sd,format=raw,file=/disk/disk.img',
      '-netdev', 'user,id=net,hostfwd=tcp:127.0.0.1:40022-:22222', '-device', 'usb-net,netdev=net',
    ]);
  });

  test('a PC: UEFI with variables of its own, boot loader from the disk, console behind Ctrl-A, capture', () => {
    const words = qemuCommand(
      pc,
      { disk: '/disk/disk.img', firmware: '/usr/share/OVMF/OVMF_CODE_4M.fd', firmwareVariables: '/disk/uefi-variables.fd' },
      { ...options, console: 'monitor', endOnReset: false, capture: '/disk/net.pcap' },
    );
    expect(words).toEqual([
      'qemu-system-x86_64', '-no-user-config', '-nodefaults', '-machine', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '1024M', '-display', 'none',
      '-serial', 'mon:stdio',
      '-drive', 'if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd',
      '-drive', 'if=pflash,unit=1,format=raw,file=/disk/uefi-variables.fd',
      '-drive', 'if=none,id=disk,discard=unmap,format=raw,file=/disk/disk.img', '-device', 'nvme,drive=disk,serial=minke,bootindex=1',
      '-netdev', 'user,id=net,hostfwd=tcp:127.0.0.1:40022-:22222', '-device', 'virtio-net-pci,netdev=net,romfile=',
      '-object', 'filter-dump,id=capture,netdev=net,file=/disk/net.pcap',
      '-device', 'virtio-rng-pci', '-device', 'qemu-xhci',
    ]);
  });

  test('a screen: the PC gets one without a program of its own, other boards with PCI a virtual one, and those that QEMU knows have theirs', () => {
    const added = (machine: Machine): string[] => {
      const without = qemuCommand(machine, { disk: 'd', kernel: 'k', firmware: 'f', firmwareVariables: 'v' }, options);
      return qemuCommand(machine, { disk: 'd', kernel: 'k', firmware: 'f', firmwareVariables: 'v' }, { ...options, screen: true }).filter((word) => !without.includes(word));
    };
    expect(added(pc)).toEqual(['VGA,romfile=,xres=800,yres=600']);
    expect(added({ ...pi, qemu: { system: 'aarch64', machine: 'virt', memoryMiB: 1024, boot: 'u-boot', console: 0 } })).toEqual(['virtio-gpu-pci,xres=800,yres=600']);
    expect(added(pi)).toEqual([]);
  });

  test('a board whose kernel QEMU starts itself, with the network adapter that it has on itself', () => {
    const lane: Machine = { ...pi, qemu: { system: 'arm', machine: 'sabrelite', memoryMiB: 1024, boot: 'kernel', console: 1, disk: 'sd-card', network: 'board', extraCommandLine: ['quiet'] } };
    const words = qemuCommand(lane, { disk: 'd', kernel: 'k', initrd: 'i', deviceTree: 't' }, { ...options, commandLine: ['console=ttymxc1', 'minke.slot=A'] });
    expect(words.slice(words.indexOf('-kernel'))).toEqual([
      '-kernel', 'k', '-initrd', 'i', '-dtb', 't', '-append', 'console=ttymxc1 minke.slot=A quiet',
      '-drive', 'if=none,id=disk,format=raw,file=d', '-device', 'sd-card,drive=disk',
      '-netdev', 'user,id=net,hostfwd=tcp:127.0.0.1:40022-:22222', '-net', 'nic,netdev=net',
    ]);
  });

  test('a stick on USB is what the board starts from, before its own disk', () => {
    const words = qemuCommand(pc, { disk: 'd', stick: 's', firmware: 'f', firmwareVariables: 'v' }, options);
    const at = words.indexOf('nvme,drive=disk,serial=minke,bootindex=1');
    expect(words.slice(at + 1, at + 7)).toEqual(['-drive', 'if=none,id=stick,format=raw,file=s', '-device', 'qemu-xhci', '-device', 'usb-storage,drive=stick,bootindex=0,removable=on']);
  });

  test('what is written to a disk is recorded where that is asked for, and not with an SD card on its board', () => {
    const words = qemuCommand(pc, { disk: 'd', writeLog: 'l', firmware: 'f', firmwareVariables: 'v' }, options);
    const at = words.indexOf('driver=file,node-name=disk-file,filename=d');
    expect(words.slice(at - 1, at + 7)).toEqual([
      '-blockdev', 'driver=file,node-name=disk-file,filename=d', '-blockdev', 'driver=file,node-name=disk-log,filename=l', '-blockdev', 'driver=blklogwrites,node-name=disk,file=disk-file,log=disk-log',
      '-device', 'nvme,drive=disk,serial=minke,bootindex=1',
    ]);
    expect(words.join(' ')).not.toContain('id=disk,');
    expect(() => qemuCommand(pi, { disk: 'd', writeLog: 'l', kernel: 'k' }, options)).toThrow(expect.objectContaining({ code: 'OSB_USAGE' }));
  });

  test('a machine without an emulation lane says what to do', () => {
    const { qemu: _lane, ...bare } = pi;
    expect(() => qemuCommand(bare, { disk: 'd' }, options)).toThrow(expect.objectContaining({ code: 'OSB_CONFIG_INVALID', hint: expect.stringContaining('qemu') }));
  });

  test('a lane without its firmware is refused', () => {
    expect(() => qemuCommand(pc, { disk: 'd' }, options)).toThrow(/UEFI firmware/);
  });
});
