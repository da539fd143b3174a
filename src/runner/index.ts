// Purpose: carries out a task graph: what is missing, in parallel, with cancelling, logs and repair of damaged results.
// Owns: the life of a task's working folder and log.
// Must not: know what the steps mean; executors are handed in.
export type { RunnerOptions } from './options.ts';
export { findWork, runGraph } from './runner.ts';
