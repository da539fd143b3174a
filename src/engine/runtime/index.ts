// Purpose: runs containers through crun under conmon's watch.
// Owns: the command lines and pipes of both, attach sockets, terminals' sizes.
// Must not: decide what a container is, or when it starts again.
export { CONMON_PID_FILE, PID_FILE } from './conmon.ts';
export type * from './oci-spec.ts';
export { createRuntime, type ProcessRequest, type Runtime, type RuntimePrograms, type RuntimeStatus, type StartedProcess } from './runtime.ts';
