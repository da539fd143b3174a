import type { DebianArchitecture } from './debian.ts';

/** Architectures of userland and engine, by their names in machine files. */
export type Arch = 'armv5e' | 'armv6l' | 'armv7hf' | 'aarch64' | 'i386' | 'amd64';

export const archs: readonly Arch[] = ['armv5e', 'armv6l', 'armv7hf', 'aarch64', 'i386', 'amd64'];

/** Debian's architecture for each of ours. Its armel is built for ARMv5TE, so it serves both of the older ARMs. */
export const debianArchitectures: Readonly<Record<Arch, DebianArchitecture>> = {
  armv5e: 'armel',
  armv6l: 'armel',
  armv7hf: 'armhf',
  aarch64: 'arm64',
  i386: 'i386',
  amd64: 'amd64',
};
