import type { Arch } from './arch.ts';

/** The engine's binary (src/engine-binary). */
export interface EngineSteps {
  /** Inputs: `sources` (src/engine, paths from the program's folder). Outputs: bundle.js, bundle.js.map. */
  'engine/bundle': Record<string, never>;
  /** Inputs: `host` (sources of src/host), `bundle.js`, `toolchain` (tree). Outputs: minke, minke.debug. */
  'engine/compile': { arch: Arch };
  /** Inputs: `source` (src/verity-map), `host` (src/host/architecture.mk), `toolchain` (tree). Outputs: minke-verity, a static program for initrds. */
  'engine/verity-map': { arch: Arch };
  /** Inputs: `source` (src/splash), `host` (src/host/architecture.mk), `toolchain` (tree). Outputs: minke-splash, a static program for initrds. */
  'engine/splash': { arch: Arch };
}
