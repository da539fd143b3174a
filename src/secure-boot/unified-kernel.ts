import { profiles, strictParameter } from '../engine/unified-kernel/index.ts';
import { formatVerity, verityParameter, type Verity } from '../engine/verity/index.ts';
import { OsbuildError } from '../model/index.ts';
import { addSections, sectionContent } from './pe.ts';

/** Unified kernel images (UAPI group's specification 5), with several command lines as systemd-stub knows them since 257. */

/** A command line to choose from. */
export interface KernelProfile {
  id: string;
  title: string;
  commandLine: readonly string[];
}

export interface UnifiedKernel {
  os: { name: string; id: string; version: string };
  kernelVersion: string;
  kernel: Buffer;
  initrd: Buffer;
  /** The first is taken when nothing is chosen. */
  profiles: readonly KernelProfile[];
}

/**
 * Older ones take no notice of profiles, and would start the first there is. Later ones unpack an initrd that the loader was told of before the signed one, with Secure Boot as well
 * (systemd's src/boot/stub.c, acquire_previous_initrd): files of anybody's in the system that checks the root.
 */
const stubOf = 257;

/** @throws OSB_CONFIG_INVALID for a stub that a signed kernel cannot be made of */
export function checkStub(stub: Buffer, file: string): void {
  const version = stubVersion(stub);
  if (version === stubOf) return;
  const why = version !== undefined && version > stubOf ? 'later ones take initrds that nobody has signed' : 'older ones know one command line alone';
  throw new OsbuildError('OSB_CONFIG_INVALID', `${file} is of systemd ${version ?? '(no version)'}, and kernels are signed with the stub of ${stubOf}: ${why}.`, { hint: 'debian.suite trixie has it; or build without secureBoot in build.config.yaml' });
}

/** The version of systemd that a stub or boot loader says it is of; undefined for what is neither. */
export function stubVersion(program: Buffer): number | undefined {
  const version = /^#### LoaderInfo: systemd-(?:stub|boot) (\d+)/.exec(sectionContent(program, '.sdmagic')?.toString('latin1') ?? '')?.[1];
  return version === undefined ? undefined : Number(version);
}

/** The four command lines of a slot's kernel: one for each slot, and one for the trial of each. The root's hash is in all of them. */
export function slotProfiles(commandLine: readonly string[], verity: Verity): KernelProfile[] {
  return profiles.map(({ slot, trial }) => ({
    id: `slot-${slot.toLowerCase()}${trial ? '-trial' : ''}`,
    title: `slot ${slot}${trial ? ', on trial' : ''}`,
    commandLine: [...commandLine, strictParameter, `minke.slot=${slot}`, ...(trial ? ['minke.trial'] : []), `${verityParameter}=${formatVerity(verity)}`],
  }));
}

/** One EFI program of stub, kernel, initrd and command lines. What all profiles share comes first; `.profile` begins each. */
export function assembleUnifiedKernel(stub: Buffer, { os, kernelVersion, kernel, initrd, profiles: chosen }: UnifiedKernel): Buffer {
  const text = (name: string, content: string): { name: string; content: Buffer } => ({ name, content: Buffer.from(content) });
  const quoted = (value: string): string => `"${value.replaceAll(/["\\$`]/g, '\\$&')}"`;
  return addSections(stub, [
    text('.osrel', `NAME=${quoted(os.name)}\nID=${os.id}\nVERSION_ID=${quoted(os.version)}\nPRETTY_NAME=${quoted(`${os.name} ${os.version}`)}\n`),
    text('.uname', kernelVersion),
    { name: '.initrd', content: initrd },
    { name: '.linux', content: kernel },
    ...chosen.flatMap(({ id, title, commandLine }) => [text('.profile', `ID=${id}\nTITLE=${title}\n`), text('.cmdline', commandLine.join(' '))]),
  ]);
}
