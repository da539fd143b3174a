import type { EngineArchitecture } from './architectures.ts';

export interface EngineBuildOptions {
  /** Address and undefined-behaviour sanitizers; dynamic, amd64 only. */
  sanitize?: boolean;
  /** Collects garbage at every call into the host. */
  gcStress?: boolean;
}

/** One command in the toolchain root. Paths are as that command sees them. */
export interface EngineBuildStep {
  architecture: EngineArchitecture;
  argv: string[];
  /** What must be readable below /in: a folder of the checkout, or text that was made before. */
  inputs: { path: string; from: { folder: string } | { text: 'bundle' } }[];
  /** What it leaves below /out. */
  outputs: string[];
}

export const hostFolder = 'src/host';

/** The compilation of one binary from the host's sources and a bundle. Pure. */
export function planEngineBuild(architecture: EngineArchitecture, options: EngineBuildOptions = {}): EngineBuildStep {
  return {
    architecture,
    argv: [
      'make',
      '--silent',
      '--jobs=2',
      '-C',
      '/in/host',
      `ARCH=${architecture}`,
      'BUNDLE=/in/bundle.js',
      'OUT=/out',
      'BUILD=/tmp/build',
      ...(options.sanitize ? ['SANITIZE=1'] : []),
      ...(options.gcStress ? ['GC_STRESS=1'] : []),
    ],
    inputs: [
      { path: '/in/host', from: { folder: hostFolder } },
      { path: '/in/bundle.js', from: { text: 'bundle' } },
    ],
    outputs: ['/out/minke', '/out/minke.debug'],
  };
}
