import type { Arch } from './arch.ts';

/** The engine's binary (src/engine-binary). */
export interface EngineSteps {
  /** Inputs: `sources` (src/engine). Outputs: bundle.js, bundle.js.map. */
  'engine/bundle': Record<string, never>;
  /** Inputs: `host` (src/host), `bundle`, `toolchain` (tree). Outputs: minke. */
  'engine/compile': { arch: Arch };
}
