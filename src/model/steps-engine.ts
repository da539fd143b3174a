import type { Arch } from './arch.ts';

/** The engine's binary (src/engine-binary). */
export interface EngineSteps {
  /** Inputs: `sources` (src/engine, paths from the program's folder). Outputs: bundle.js, bundle.js.map. */
  'engine/bundle': Record<string, never>;
  /** Inputs: `host` (sources of src/host), `bundle.js`, `toolchain` (tree). Outputs: minke, minke.debug. */
  'engine/compile': { arch: Arch };
}
