import type { DebianArchitecture } from '../model/index.ts';

/** Cross compilers by the architecture of what is built: their package on amd64, and what stands in front of their programs' names. */
export const crossCompilers: Readonly<Record<DebianArchitecture, { packages: readonly string[]; prefix: string }>> = {
  amd64: { packages: [], prefix: '' },
  arm64: { packages: ['gcc-aarch64-linux-gnu'], prefix: 'aarch64-linux-gnu-' },
  armhf: { packages: ['gcc-arm-linux-gnueabihf'], prefix: 'arm-linux-gnueabihf-' },
  armel: { packages: ['gcc-arm-linux-gnueabi'], prefix: 'arm-linux-gnueabi-' },
  i386: { packages: ['gcc-i686-linux-gnu'], prefix: 'i686-linux-gnu-' },
};

/** What kernel and U-Boot need of the build machine: Documentation/process/changes.rst of the kernel, doc/build/gcc.rst of U-Boot. */
const programs = [
  'bc', 'binutils', 'bison', 'bzip2', 'coreutils', 'dash', 'diffutils', 'dpkg', 'findutils', 'flex', 'gawk', 'gcc', 'grep', 'gzip', 'kmod', 'libc6-dev', 'm4', 'make', 'patch', 'perl',
  'sed', 'tar', 'xz-utils',
  // Kernel: certificates and object files. U-Boot: signing tools, EFI capsules, binman.
  'libelf-dev', 'libssl-dev', 'libgnutls28-dev', 'uuid-dev', 'acpica-tools', 'device-tree-compiler', 'python3', 'python3-dev', 'python3-setuptools', 'python3-pyelftools', 'swig',
];

/** The Debian packages (trixie, amd64) of a root in which kernels and boot loaders of one architecture are built; sorted. */
export function sourceBuildPackages(architecture: DebianArchitecture): string[] {
  return [...programs, ...crossCompilers[architecture].packages].toSorted();
}

/** What the kernel calls an architecture, and what of its build is started: as Debian's packages of the kernel have it. */
export const kernelTargets: Readonly<Record<DebianArchitecture, { arch: string; sourceFolder: string; image: string; deviceTrees: boolean }>> = {
  amd64: { arch: 'x86_64', sourceFolder: 'x86', image: 'bzImage', deviceTrees: false },
  i386: { arch: 'i386', sourceFolder: 'x86', image: 'bzImage', deviceTrees: false },
  arm64: { arch: 'arm64', sourceFolder: 'arm64', image: 'Image', deviceTrees: true },
  armhf: { arch: 'arm', sourceFolder: 'arm', image: 'zImage', deviceTrees: true },
  armel: { arch: 'arm', sourceFolder: 'arm', image: 'zImage', deviceTrees: true },
};
