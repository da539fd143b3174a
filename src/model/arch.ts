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

/** Each in the words of the OCI image specification. */
export const ociPlatforms: Readonly<Record<Arch, { architecture: string; variant?: string }>> = {
  armv5e: { architecture: 'arm', variant: 'v5' },
  armv6l: { architecture: 'arm', variant: 'v6' },
  armv7hf: { architecture: 'arm', variant: 'v7' },
  aarch64: { architecture: 'arm64' },
  i386: { architecture: '386' },
  amd64: { architecture: 'amd64' },
};
