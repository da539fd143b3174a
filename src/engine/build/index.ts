// Purpose: images made of Dockerfiles.
// Owns: Dockerfiles, build plans, the build cache (build/ below the data root), the classic builder's output.
// Must not: know HTTP.
export { createBuilder, type Builder } from './builder.ts';
export { parseIgnore, type IgnoreRules } from './ignore.ts';
export { createBuildOutput, type BuildOutput } from './output.ts';
export type { BuildRequest } from './request.ts';
export { CommandFailed } from './run-step.ts';
