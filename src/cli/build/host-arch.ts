import { archs, OsbuildError, type Arch } from '../../model/index.ts';

/** Which engine runs here. */
const hostArchs: Partial<Record<NodeJS.Architecture, Arch>> = { x64: 'amd64', arm64: 'aarch64', ia32: 'i386', arm: 'armv7hf' };

/** Of this machine. @throws OSB_HOST_UNFIT */
export function hostArch(what: string): Arch {
  const arch = hostArchs[process.arch];
  if (arch === undefined || !archs.includes(arch)) throw new OsbuildError('OSB_HOST_UNFIT', `the engine is not built for this machine (${process.arch})`, { hint: `${what} on: ${Object.keys(hostArchs).join(', ')}` });
  return arch;
}
