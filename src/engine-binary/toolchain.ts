import { debianArchitectures } from '../model/index.ts';
import { engineArchitectures, engineTargets, type EngineArchitecture } from './architectures.ts';

/** Static libraries that the host links, with their headers: the same for every architecture. */
const libraries = ['libquickjs', 'libuv1-dev', 'libmbedtls-dev', 'libc-ares-dev', 'zlib1g-dev', 'libzstd-dev', 'libc6-dev'] as const;

/** Programs of the build machine. qjsc, which compiles the bundle to bytecode, is in the package quickjs; zstd packs that. */
const programs = ['make', 'quickjs', 'dash', 'coreutils', 'sed', 'zstd'] as const;

export interface ToolchainPackages {
  /** Debian architectures that apt has to know beside amd64. */
  foreignArchitectures: string[];
  /** Packages as apt takes them, foreign ones with `:architecture`; sorted. */
  packages: string[];
}

/**
 * The Debian (trixie, amd64) packages of a toolchain root: one cross compiler, one set of libraries and the common programs for each architecture asked for.
 * Debian's cross compilers find the libraries of their architecture without being told.
 */
export function toolchainPackages(architectures: readonly EngineArchitecture[]): ToolchainPackages {
  const packages = new Set<string>(programs);
  const foreign = new Set<string>();
  for (const name of architectures) {
    const { compilerPackage } = engineTargets[name];
    const debianArchitecture = debianArchitectures[name];
    const suffix = debianArchitecture === 'amd64' ? '' : `:${debianArchitecture}`;
    if (suffix) foreign.add(debianArchitecture);
    packages.add(compilerPackage);
    for (const library of libraries) packages.add(library + suffix);
  }
  return { foreignArchitectures: [...foreign].toSorted(), packages: [...packages].toSorted() };
}

/** One root that builds all: 1.1 GB, against about 0.4 GB for a single architecture. */
export function completeToolchainPackages(): ToolchainPackages {
  return toolchainPackages(engineArchitectures);
}
