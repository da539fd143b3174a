import { archs, type Arch } from '../model/index.ts';

/** What the engine is built for. */
export const engineArchitectures = archs;
export type EngineArchitecture = Arch;

export interface EngineTarget {
  /** Package of the compiler for it, on amd64. */
  compilerPackage: string;
  /** As `file` and the ELF header know it: class and e_machine. */
  elf: { bits: 32 | 64; machine: number };
  /** Program of qemu-user that runs it. */
  qemuUser: string;
}

export const engineTargets: Readonly<Record<EngineArchitecture, EngineTarget>> = {
  armv5e: { compilerPackage: 'gcc-arm-linux-gnueabi', elf: { bits: 32, machine: 40 }, qemuUser: 'qemu-arm' },
  armv6l: { compilerPackage: 'gcc-arm-linux-gnueabi', elf: { bits: 32, machine: 40 }, qemuUser: 'qemu-arm' },
  armv7hf: { compilerPackage: 'gcc-arm-linux-gnueabihf', elf: { bits: 32, machine: 40 }, qemuUser: 'qemu-arm' },
  aarch64: { compilerPackage: 'gcc-aarch64-linux-gnu', elf: { bits: 64, machine: 183 }, qemuUser: 'qemu-aarch64' },
  i386: { compilerPackage: 'gcc-i686-linux-gnu', elf: { bits: 32, machine: 3 }, qemuUser: 'qemu-i386' },
  amd64: { compilerPackage: 'gcc', elf: { bits: 64, machine: 62 }, qemuUser: 'qemu-x86_64' },
};

/** Names an architecture; undefined for an unknown word. */
export function engineArchitecture(word: string): EngineArchitecture | undefined {
  return engineArchitectures.find((name) => name === word);
}
