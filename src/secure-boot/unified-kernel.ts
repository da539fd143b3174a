import { profiles, strictParameter } from '../engine/unified-kernel/index.ts';
import { formatVerity, verityParameter, type Verity } from '../engine/verity/index.ts';
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

/** Older ones take no notice of profiles, and would start the first there is. */
export const leastStubVersion = 257;

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
