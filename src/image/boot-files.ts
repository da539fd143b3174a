import { formatVerity, verityParameter, type Verity } from '../engine/verity/index.ts';
import { bootLoaderOrigin, filesPackage, kernelOrigin, OsbuildError, type DeviceConfig, type Machine, type UnifiedBoot } from '../model/index.ts';
import { entryName, loaderConf, loaderEntry } from './systemd-boot.ts';
import { packUbootScript, ubootScript, type BootCommand } from './uboot-script.ts';

/** A file of the boot partition: bytes made here, or copied from what a step has at hand. */
export interface BootFile {
  path: string;
  content:
    | Buffer
    | { from: 'kernel' | 'initrd' | 'loader'; compression?: 'gzip' }
    | { from: 'enroll'; name: string }
    | { from: 'deviceTrees' | 'bootLoader'; member: string }
    /** Wrapped as a kernel for another U-Boot, which loads and enters it at this address. */
    | { from: 'bootLoader'; wrapped: string; address: number }
    | { from: 'bootLoader'; environmentOf: string; sizeBytes: number };
}

/** Where boot.scr finds the parameters of slot A's tree. */
export const slotVerityFile = 'A/verity.env';

/** Paths of the members that tars of a step hold: device trees below their vendor folders, boot loaders below their package. */
export interface BootSources {
  deviceTrees: readonly string[];
  bootLoader: readonly string[];
}

export interface BootOptions {
  machine: Pick<Machine, 'kernel' | 'boot' | 'files'>;
  config: DeviceConfig;
  /** Kernel parameters of every machine and of this one. */
  commandLine: readonly string[];
  title: string;
  version: string;
  epoch: number;
  /** Slot A's hash tree; a flasher has no slot. */
  verity?: Verity;
  /** Kernel and boot loader are signed, and the kernel has initrd and command line inside. */
  unified?: UnifiedBoot;
}

/**
 * Everything that stands on the boot partition of a new image: slot A's folder, the loader and what chooses the slot,
 * config.json. Slot B's folder comes with the first update; nothing else has to change for it.
 * @throws OSB_PACKAGE_MISSING when a package lacks a file that the machine names
 */
export function bootFiles(options: BootOptions, sources: BootSources): BootFile[] {
  const { machine, config } = options;
  const files: BootFile[] = [
    { path: 'A/kernel', content: { from: 'kernel', ...kernelCompression(machine) } },
    ...(options.unified === undefined ? [{ path: 'A/initrd', content: { from: 'initrd' as const } }] : []),
    { path: 'config.json', content: Buffer.from(`${JSON.stringify(config, null, 2)}\n`) },
    ...deviceTrees(sources, 'A/dtb/'),
    ...(machine.boot.method === 'systemd-boot' ? systemdBoot(options, machine.boot, sources) : uboot(options, machine.boot, sources)),
    ...(machine.files ?? []).flatMap(({ name, target }): BootFile[] => (target === undefined ? [] : [{ path: target, content: { from: 'bootLoader', member: packaged(sources.bootLoader, filesPackage, name) } }])),
  ];
  const twice = files.find(({ path }, index) => files.findIndex((other) => other.path.toLowerCase() === path.toLowerCase()) !== index);
  if (twice !== undefined) throw new OsbuildError('OSB_CONFIG_INVALID', `Two files of the boot partition are called ${twice.path}.`, { hint: 'Another target in the machine file tells them apart.' });
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function kernelCompression({ boot, kernel }: BootOptions['machine']): { compression?: 'gzip' } {
  if (boot.method !== 'u-boot' || boot.kernelCompression === undefined) return {};
  // Of U-Boot's commands booti alone unpacks, and it does not guess where to.
  if (kernelOrigin(kernel).architecture !== 'arm64' || boot.addresses?.decompressed === undefined) {
    throw new OsbuildError('OSB_CONFIG_INVALID', 'boot.kernelCompression needs an arm64 kernel and boot.addresses.decompressed.', { hint: 'Leave kernelCompression out of the machine file, or say where U-Boot is to unpack the kernel.' });
  }
  return { compression: boot.kernelCompression };
}

/** All that the step was handed: the provider has chosen them by the machine's globs. */
function deviceTrees(sources: BootSources, folder: string): BootFile[] {
  return sources.deviceTrees.map((member) => ({ path: `${folder}${member}`, content: { from: 'deviceTrees', member } }));
}

type SystemdBoot = Extract<Machine['boot'], { method: 'systemd-boot' }>;
type Uboot = Extract<Machine['boot'], { method: 'u-boot' }>;

/** systemd-boot's file in its package, and that of the stub of the same build. */
const efiProgram = (kind: 'systemd-boot' | 'linux', { efiName }: SystemdBoot, end: string): string => `usr/lib/systemd/boot/efi/${kind}${efiName.replace(/^BOOT/, '').replace(/\.EFI$/, '').toLowerCase()}${end}`;
export const loaderProgram = (boot: SystemdBoot): string => efiProgram('systemd-boot', boot, '.efi');
export const stubProgram = (boot: SystemdBoot): string => efiProgram('linux', boot, '.efi.stub');

/** Where systemd-boot looks for keys that it may give to a firmware without any; by itself it does so in virtual machines alone. */
const enrolFolder = 'loader/keys/auto/';

function systemdBoot(options: BootOptions, boot: SystemdBoot, sources: BootSources): BootFile[] {
  const { title, version, commandLine, unified } = options;
  const member = packaged(sources.bootLoader, boot.package.package, loaderProgram(boot));
  return [
    { path: `EFI/BOOT/${boot.efiName}`, content: unified === undefined ? { from: 'bootLoader', member } : { from: 'loader' } },
    { path: 'loader/loader.conf', content: Buffer.from(loaderConf) },
    { path: `loader/entries/${entryName('A')}`, content: Buffer.from(loaderEntry({ slot: 'A', title, version, generation: 1, commandLine, ...(options.verity === undefined ? {} : { verity: options.verity }), unified: unified !== undefined })) },
    ...(unified?.enroll ?? []).map((name): BootFile => ({ path: `${enrolFolder}${name}`, content: { from: 'enroll', name } })),
  ];
}

function uboot(options: BootOptions, boot: Uboot, sources: BootSources): BootFile[] {
  const { machine, config, commandLine, epoch, verity } = options;
  const overlays = [...new Set(config.os?.deviceTree?.overlays)];
  const script = ubootScript({
    addresses: boot.addresses ?? {},
    prologue: boot.script ?? [],
    bootCommand: bootCommand(kernelOrigin(machine.kernel).architecture),
    deviceTrees: sources.deviceTrees.length > 0,
  });
  const origin = bootLoaderOrigin(boot).package;
  const files: BootFile[] = [
    { path: 'boot.scr', content: packUbootScript(script, epoch) },
    // It goes with the slot: another release may want other parameters.
    { path: 'A/boot.env', content: Buffer.from(`os_cmdline=${commandLine.join(' ')}\n`) },
    // Not among the files that an update carries: the device writes it when it has made the tree (src/engine/os/verity.ts).
    ...(verity === undefined ? [] : [{ path: slotVerityFile, content: Buffer.from(`os_verity=${verityParameter}=${formatVerity(verity)}\n`) }]),
    { path: 'minke/slot.env', content: Buffer.from('slot=A\n') },
    // The device writes it later (src/engine/os/overlays.ts); so the first start has them too.
    ...(overlays.length === 0 ? [] : [{ path: 'minke/overlays.env', content: Buffer.from(`overlay_before=none\noverlay_tries=1\noverlays=${overlays.join(' ')}\n\0`) }]),
  ];
  if (boot.target !== undefined) {
    const member = packaged(sources.bootLoader, origin, boot.file);
    files.push({ path: boot.target, content: boot.uImage === undefined ? { from: 'bootLoader', member } : { from: 'bootLoader', wrapped: member, address: Number(boot.uImage.address) } });
  }
  const copied = boot.uImage?.deviceTree;
  if (copied !== undefined) {
    if (!sources.deviceTrees.includes(copied.file)) throw missing(copied.file, 'The list kernel.deviceTrees', [...sources.deviceTrees]);
    files.push({ path: copied.target, content: { from: 'deviceTrees', member: copied.file } });
  }
  if (boot.environment !== undefined) {
    const { file, sizeBytes } = boot.environment;
    files.push({ path: file, content: { from: 'bootLoader', environmentOf: packaged(sources.bootLoader, origin, boot.file), sizeBytes } });
  }
  const { firmware } = boot;
  if (firmware === undefined) return files;
  files.push({ path: 'config.txt', content: Buffer.from(firmware.config) });
  const { package: packaging, folder, files: names = [] } = firmware;
  if (packaging !== undefined) {
    for (const name of names) files.push({ path: name, content: { from: 'bootLoader', member: packaged(sources.bootLoader, packaging.package, [folder, name].filter(Boolean).join('/')) } });
  }
  // The board's firmware adjusts a tree (memory, MAC addresses, display) and hands it to U-Boot, which carries that over
  // to the slot's. It looks for it by file name at the top.
  const trees = sources.deviceTrees.map((member): BootFile => ({ path: member.slice(member.lastIndexOf('/') + 1), content: { from: 'deviceTrees', member } }));
  return [...files, ...trees];
}

/** U-Boot's word for starting a kernel of that architecture, as its maker's build left it. */
function bootCommand(architecture: string): BootCommand {
  if (architecture === 'arm64') return 'booti';
  return architecture === 'i386' || architecture === 'amd64' ? 'zboot' : 'bootz';
}

/** Member of a boot loader's tar. @throws OSB_PACKAGE_MISSING with what is near */
export function packaged(members: readonly string[], packageName: string, file: string): string {
  const member = `${packageName}/${file}`;
  if (!members.includes(member)) throw missing(file, `package ${packageName}`, nearby(members, member));
  return member;
}

/** Members of the same name elsewhere, else of the same folder, for the hint. */
function nearby(members: readonly string[], wanted: string): string[] {
  const name = wanted.slice(wanted.lastIndexOf('/') + 1);
  const folder = wanted.slice(0, wanted.lastIndexOf('/') + 1);
  const same = members.filter((member) => member.endsWith(`/${name}`));
  return (same.length > 0 ? same : members.filter((member) => member.startsWith(folder))).slice(0, 8);
}

function missing(file: string, where: string, near: string[]): OsbuildError {
  return new OsbuildError('OSB_PACKAGE_MISSING', `${where} does not hold ${file}, which the image needs.`, {
    hint: near.length > 0 ? `It holds: ${near.join(', ')}.` : 'Check the names in the machine file.',
    details: { file, near },
  });
}
