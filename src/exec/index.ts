// Purpose: running programs: of the host, and inside tools trees.
// Owns: execa, the sandbox script, lines to paste.
// Must not: know what a task is.
export { capture, type Captured } from './capture.ts';
export { run, stream, type RunOptions } from './run.ts';
export { sandboxCommand, sandboxScript, type Mount, type SandboxOptions, type TopLevelEntry } from './sandbox.ts';
export { shellLine, shellWord } from './shell.ts';
export { start, type StartedProgram } from './start.ts';
export { topLevel } from './top-level.ts';
