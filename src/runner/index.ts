// Purpose: carries out a task graph: what is missing, in parallel, with cancelling, logs and repair of damaged results.
// Owns: the life of a task's working folder and log.
// Must not: know what the steps mean; executors are handed in.
export { findWork, runGraph, type RunnerOptions } from './runner.ts';
