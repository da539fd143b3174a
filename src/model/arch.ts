/** Architectures of userland and engine, by their names in machine files. */
export type Arch = 'armv5e' | 'armv6l' | 'armv7hf' | 'aarch64' | 'i386' | 'amd64';

export const archs: readonly Arch[] = ['armv5e', 'armv6l', 'armv7hf', 'aarch64', 'i386', 'amd64'];
