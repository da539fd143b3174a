// Purpose: makes root filesystems, boot files and tools trees of Debian packages, without running maintainer scripts.
// Owns: the private apt root, lock files, downloads, unpacking, the finish step, checks of maintainer scripts.
// Must not: change the host's apt, run foreign code but static tools in the tools tree, know partitions or images.
export { readHostApt, type HostApt, type HostRun } from './apt/host.ts';
export { packagesOfSet, sortRequest, sourceFiles } from './apt/resolve.ts';
export { diffLocks, type LockDifference } from './checks/diff-locks.ts';
export type { PackageChange, ScriptChange } from './checks/lock-diff.ts';
export { createDebianExecutors } from './executors.ts';
export { formatLock, readLock } from './lock/file.ts';
export { createHostRun } from './host-run.ts';
export { ensureLock, resolveNow, type EnsuredLock, type LockPorts, type LockWish } from './lock/ensure.ts';
export { fetchTask, finishTools, planRoot, planTree, type BuiltParts, type ImagePlanOptions } from './plan.ts';
export { machineRequest } from './request.ts';
