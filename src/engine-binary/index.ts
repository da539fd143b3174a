// Purpose: how the engine's TypeScript and the C host become one static binary per architecture, and the initrd's own programs others.
// Owns: the toolchain's packages, the bundling, the build plan. Its effects are two functions that the caller brings.
// Must not: run commands or touch files itself, or know how a tools tree is entered.
import { type EngineArchitecture } from './architectures.ts';
import { bundleEngine, type EngineBundle } from './bundle.ts';
import { planEngineBuild, type EngineBuildOptions, type EngineBuildStep } from './plan.ts';

export { engineArchitecture, engineArchitectures, engineTargets, type EngineArchitecture, type EngineTarget } from './architectures.ts';
export { bundleEngine, type EngineBundle } from './bundle.ts';
export { hostFolder, planEngineBuild, type EngineBuildOptions, type EngineBuildStep } from './plan.ts';
export { engineExecutors } from './executors.ts';
export { planEngineBinary, planInitrdProgram, type EngineSources, type InitrdProgram } from './tasks.ts';
export { completeToolchainPackages, toolchainPackages, type ToolchainPackages } from './toolchain.ts';

export const engineEntry = 'src/engine/main.ts';

export interface EngineBuildPorts {
  /** Runs a step in the toolchain root and returns where its outputs lie, by the path that the step knows them by. */
  runStep(step: EngineBuildStep, texts: { bundle: string }): Promise<ReadonlyMap<string, string>>;
  bundle?(home: string, entry: string): Promise<EngineBundle>;
}

export interface EngineBinary {
  architecture: EngineArchitecture;
  /** Stripped, static. */
  binaryPath: string;
  /** Debug information of the C part, for gdb. */
  debugPath: string;
  bundle: EngineBundle;
}

/** Bundles once and compiles for each architecture, one after the other. */
export async function buildEngine(
  home: string,
  architectures: readonly EngineArchitecture[],
  ports: EngineBuildPorts,
  options: EngineBuildOptions & { entry?: string } = {},
): Promise<EngineBinary[]> {
  const bundle = await (ports.bundle ?? bundleEngine)(home, options.entry ?? engineEntry);
  const binaries: EngineBinary[] = [];
  for (const architecture of architectures) {
    const step = planEngineBuild(architecture, options);
    const outputs = await ports.runStep(step, { bundle: bundle.code });
    const path = (name: string): string => {
      const found = outputs.get(name);
      if (found === undefined) throw new Error(`the build step for ${architecture} did not give ${name}`);
      return found;
    };
    binaries.push({ architecture, binaryPath: path('/out/minke'), debugPath: path('/out/minke.debug'), bundle });
  }
  return binaries;
}
