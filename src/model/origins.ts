import type { DebianArchitecture } from './debian.ts';
import type { Machine } from './schema/index.ts';

/** A part of an image by the package that it comes from, be it unpacked or built. */
export interface Origin {
  package: string;
  architecture: DebianArchitecture | 'all';
}

/** Where a machine's kernel comes from; an archive of its maker is known by the name that the machine gives it. A machine that was read from a file has one. */
export function kernelOrigin(kernel: Pick<Machine['kernel'], 'debian' | 'source' | 'artifact'>): Origin {
  const { artifact } = kernel;
  const origin = kernel.debian ?? kernel.source ?? (artifact === undefined ? undefined : { package: artifact.name, architecture: artifact.architecture });
  if (origin === undefined) throw new Error('a machine without a kernel was not refused');
  return origin;
}

/** What stands for the package of a machine's files by address; no package has such a name. */
export const filesPackage = '_files';

/** Where a machine's boot loader comes from. */
export function bootLoaderOrigin(boot: Machine['boot']): Origin {
  const origin = boot.method === 'u-boot' ? (boot.package ?? boot.source) : boot.package;
  if (origin === undefined) throw new Error('a machine without a boot loader was not refused');
  return origin;
}
