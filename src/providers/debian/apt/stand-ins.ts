/**
 * Packages that are told to apt as installed, because what they do is done elsewhere. Without them every resolution would
 * drag in what only maintainer scripts use. A recipe that really wants one of them names it and gets it.
 */
export interface StandIn {
  name: string;
  reason: string;
}

/** For every set: what only maintainer scripts call, or what describes the package manager itself. */
export const scriptStandIns: readonly StandIn[] = [
  { name: 'adduser', reason: 'users come from the finish step' },
  { name: 'debconf', reason: 'no maintainer script asks anything' },
  { name: 'debconf-2.0', reason: 'no maintainer script asks anything' },
  { name: 'dpkg', reason: 'the image is never changed by packages' },
  { name: 'init-system-helpers', reason: 'units are enabled by the finish step' },
  { name: 'linux-initramfs-tool', reason: 'the initrd is our own' },
  { name: 'ucf', reason: 'no maintainer script merges configuration' },
  { name: 'usr-is-merged', reason: 'the root is merged by construction' },
];

/** For the kernel alone: its package is taken for its files. */
export const kernelStandIns: readonly StandIn[] = [
  ...scriptStandIns,
  { name: 'kmod', reason: 'depmod runs in the tools tree; recipes name kmod for the device' },
  { name: 'linux-base', reason: 'boot files are placed by the image step' },
];

/** For the headers of a kernel: what builds modules with them is in the container that does it. */
export const headersStandIns: readonly StandIn[] = [
  ...kernelStandIns,
  ...['gcc-12', 'gcc-13', 'gcc-14', 'gcc-15', 'gcc-16', 'libc6', 'libelf1t64', 'libssl3t64', 'pahole', 'zlib1g'].map((name) => ({ name, reason: 'comes with the compiler that builds modules' })),
];

/** A dpkg status file in which one package provides all of them, in any version. */
export function statusFile(standIns: readonly StandIn[]): string {
  return [
    'Package: osbuild-stand-in',
    'Status: install ok installed',
    'Version: 1',
    'Architecture: all',
    'Multi-Arch: foreign',
    'Maintainer: nobody <nobody@localhost>',
    `Provides: ${standIns.map(({ name }) => `${name} (= 9999:0)`).join(', ')}`,
    'Description: what the image has by other means',
    '',
    '',
  ].join('\n');
}
