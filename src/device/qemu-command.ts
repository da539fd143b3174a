import { OsbuildError, type Machine } from '../model/index.ts';

/** Paths as QEMU sees them (inside the emulation tools tree's sandbox). */
export interface QemuFiles {
  /** Raw disk image, written to. */
  disk: string;
  /** An empty file that takes every write to the disk and every flush, in order, as the kernel's dm-log-writes would. */
  writeLog?: string;
  /** A raw disk image on USB, which the board starts from rather than from its disk. */
  stick?: string;
  /** Firmware program: UEFI code, or U-Boot for a board whose firmware holds it. */
  firmware?: string;
  /** UEFI variables, written to. */
  firmwareVariables?: string;
  /** The firmware guards its variables by system management mode, as for Secure Boot. */
  secure?: true;
  /** The machine's own U-Boot, or a kernel, given with -kernel. */
  kernel?: string;
  deviceTree?: string;
  initrd?: string;
}

export interface QemuOptions {
  /** TCP ports: on the host's loopback → on the board. */
  forward: { host: number; guest: number }[];
  /** The console: alone on standard input and output, or with QEMU's monitor behind Ctrl-A. */
  console: 'plain' | 'monitor';
  /** Control socket, for what is plugged in later. */
  control?: string;
  /** A USB controller for what is plugged in later, on boards that have none of their own. */
  usbPort?: boolean;
  /** A screen, which nobody sees but who asks over the control socket. */
  screen?: boolean;
  /** Where every network packet is written (pcap). */
  capture?: string;
  /** A reset ends QEMU instead of starting the board again. */
  endOnReset: boolean;
  accelerator: 'tcg' | 'kvm';
  /** For boot: kernel. */
  commandLine?: string[];
}

type Qemu = NonNullable<Machine['qemu']>;

/** The command that emulates a machine. Pure: same machine, files and options, same words. */
export function qemuCommand(machine: Machine, files: QemuFiles, options: QemuOptions): string[] {
  const { qemu } = machine;
  if (!qemu) {
    throw new OsbuildError('OSB_CONFIG_INVALID', `${machine.description} has no emulation lane`, {
      hint: 'add a `qemu` section to the machine file, or choose a machine that has one (`osbuild machines`)',
    });
  }
  return [
    `qemu-system-${qemu.system}`,
    '-no-user-config',
    '-nodefaults',
    '-machine',
    `${qemu.machine}${files.secure === true ? ',smm=on' : ''}`,
    '-accel',
    options.accelerator === 'kvm' ? 'kvm' : `tcg,thread=${qemu.threads ?? 'multi'}`,
    ...(qemu.cpu === undefined ? [] : ['-cpu', options.accelerator === 'kvm' ? 'host' : qemu.cpu]),
    ...(qemu.cpus === undefined ? [] : ['-smp', String(qemu.cpus)]),
    '-m',
    `${qemu.memoryMiB}M`,
    '-display',
    'none',
    ...serialWords(qemu, options),
    ...(options.endOnReset ? ['-no-reboot'] : []),
    ...bootWords(qemu, files, options),
    ...diskWords(qemu, files),
    ...stickWords(files.stick),
    ...(options.usbPort === true && onPci(qemu) && files.stick === undefined ? ['-device', 'qemu-xhci'] : []),
    ...networkWords(qemu, options),
    ...(onPci(qemu) ? ['-device', 'virtio-rng-pci'] : []),
    ...(options.screen === true ? screenWords(qemu) : []),
    ...(qemu.extraArguments ?? []),
  ];
}

/** Serial ports before the console's are there but lead nowhere. */
function serialWords(qemu: Qemu, options: QemuOptions): string[] {
  const unused = Array.from({ length: qemu.console }, () => ['-serial', 'null']).flat();
  if (options.console === 'plain') return ['-monitor', 'none', ...unused, '-serial', 'stdio'];
  return [...unused, '-serial', 'mon:stdio'];
}

function bootWords(qemu: Qemu, files: QemuFiles, options: QemuOptions): string[] {
  switch (qemu.boot) {
    case 'rom':
      return [];
    case 'uefi':
      return [
        '-drive',
        `if=pflash,unit=0,format=raw,readonly=on,file=${needed(files.firmware, 'UEFI firmware')}`,
        '-drive',
        `if=pflash,unit=1,format=raw,file=${needed(files.firmwareVariables, 'UEFI variables')}`,
        ...(files.secure === true ? ['-global', 'driver=cfi.pflash01,property=secure,value=on', '-global', 'ICH9-LPC.disable_s3=1'] : []),
      ];
    case 'u-boot':
      if (files.firmware !== undefined) return ['-bios', files.firmware];
      return ['-kernel', needed(files.kernel, 'U-Boot program'), ...(files.deviceTree === undefined ? [] : ['-dtb', files.deviceTree])];
    case 'kernel': {
      const words = [...(options.commandLine ?? []), ...(qemu.extraCommandLine ?? [])];
      return [
        '-kernel',
        needed(files.kernel, 'kernel'),
        ...(files.initrd === undefined ? [] : ['-initrd', files.initrd]),
        ...(files.deviceTree === undefined ? [] : ['-dtb', files.deviceTree]),
        ...(words.length === 0 ? [] : ['-append', words.join(' ')]),
      ];
    }
  }
}

function diskWords(qemu: Qemu, { disk, writeLog }: QemuFiles): string[] {
  const kind = qemu.disk ?? 'virtio';
  const plain = (extra: string): string[] => ['-drive', `${extra},format=raw,file=${disk}`];
  if (kind === 'sd') {
    if (writeLog !== undefined) throw new OsbuildError('OSB_USAGE', 'what is written to an SD card on its board cannot be recorded', { hint: 'use a machine with another disk' });
    return plain('if=sd');
  }
  const drive = (extra = ''): string[] => (writeLog === undefined ? plain(`if=none,id=disk${extra}`) : recorded(disk, writeLog));
  switch (kind) {
    case 'sd-card':
      return [...drive(), '-device', 'sd-card,drive=disk'];
    case 'virtio':
      return [...drive(',discard=unmap'), '-device', 'virtio-blk-pci,drive=disk,bootindex=1'];
    case 'nvme':
      return [...drive(',discard=unmap'), '-device', 'nvme,drive=disk,serial=minke,bootindex=1'];
    case 'sata':
      return [...drive(), '-device', 'ide-hd,drive=disk,bus=ide.0,bootindex=1'];
  }
}

/** What is thrown away is not recorded, and stays on the disk. */
const recorded = (disk: string, log: string): string[] => [
  '-blockdev', `driver=file,node-name=disk-file,filename=${disk}`,
  '-blockdev', `driver=file,node-name=disk-log,filename=${log}`,
  '-blockdev', 'driver=blklogwrites,node-name=disk,file=disk-file,log=disk-log',
];

function stickWords(stick: string | undefined): string[] {
  if (stick === undefined) return [];
  return ['-drive', `if=none,id=stick,format=raw,file=${stick}`, '-device', 'qemu-xhci', '-device', 'usb-storage,drive=stick,bootindex=0,removable=on'];
}

function networkWords(qemu: Qemu, options: QemuOptions): string[] {
  const forwards = options.forward.map(({ host, guest }) => `,hostfwd=tcp:127.0.0.1:${host}-:${guest}`).join('');
  const devices = { virtio: ['virtio-net-pci,netdev=net,romfile='], board: [], usb: ['usb-net,netdev=net'], 'usb-late': [], e1000e: ['e1000e,netdev=net,romfile='] };
  const control = options.control === undefined ? [] : ['-qmp', `unix:${options.control},server=on,wait=off`];
  const capture = options.capture === undefined ? [] : ['-object', `filter-dump,id=capture,netdev=net,file=${options.capture}`];
  const own = qemu.network === 'board' ? ['-net', 'nic,netdev=net'] : [];
  return ['-netdev', `user,id=net${forwards}`, ...own, ...devices[qemu.network ?? 'virtio'].flatMap((device) => ['-device', device]), ...control, ...capture];
}

/** Boards that get a USB controller with `usbPort`. */
export const takesUsb = (qemu: Qemu): boolean => onPci(qemu);

/** Each look at a screen holds the whole emulation up, for as long as it is large. */
const smallScreen = 'xres=800,yres=600';

/** Boards that QEMU knows have their own. The PC's needs no program of its own: UEFI has a driver. */
function screenWords(qemu: Qemu): string[] {
  if (!onPci(qemu)) return [];
  return ['-device', qemu.system === 'x86_64' || qemu.system === 'i386' ? `VGA,romfile=,${smallScreen}` : `virtio-gpu-pci,${smallScreen}`];
}

const onPci = (qemu: Qemu): boolean => ['virtio', 'e1000e'].includes(qemu.network ?? 'virtio');

function needed(path: string | undefined, what: string): string {
  if (path === undefined) throw new OsbuildError('OSB_CONFIG_INVALID', `the emulation lane needs a ${what}`, { hint: 'see `qemu` in the machine file' });
  return path;
}
