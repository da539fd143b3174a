// Purpose: the life of containers: create, start, watch, stop, remove, and what clients do with them meanwhile.
// Owns: containers/ below the data root, run-time bundles, the OCI specification.
// Must not: know HTTP.
export { pathArchive, readArchive, statPath, withFiles, type PathStat } from './archive.ts';
export { connectAttach, pumpAttach, type AttachClient, type AttachStreams } from './attach.ts';
export { parseBoundingSet } from './capabilities.ts';
export { containerChanges, type Change } from './changes.ts';
export { commitContainer, stageUpper } from './commit.ts';
export { connectContainer, disconnectContainer } from './connect.ts';
export { namesOf } from './container-names.ts';
export { openCollection, type Container, type ContainerCollection } from './collection.ts';
export type { ContainerConfig, EndpointRequest, HostConfig } from './config.ts';
export { bundleFolder, emit, nowIso, type ContainerContext, type ExecConfig, type ExecSession } from './context.ts';
export { createContainer, type ContainerBase } from './create.ts';
export { DEFAULT_DETACH_KEYS, parseDetachKeys } from './detach-keys.ts';
export { parseEndpoint } from './endpoint-request.ts';
export { createExec, execFolder, findExec, startExec } from './exec.ts';
export { createFields, type Fields } from './fields.ts';
export { containerLife } from './finish.ts';
export { logBound } from './log-lines.ts';
export type { HealthState } from './health.ts';
export { logPath } from './log-files.ts';
export { writeLogs, type LogRequest } from './logs.ts';
export { checkContainerName } from './names.ts';
export { mergeImage } from './merge-image.ts';
export { parseCreateRequest } from './parse-create.ts';
export { isLive, ZERO_TIME, type Attachment, type ContainerRecord } from './record.ts';
export { recoverContainers, startByPolicy } from './recover.ts';
export { inUse, removeContainer, usedLayers } from './remove.ts';
export { createRootfsStore } from './rootfs.ts';
export { cgroupPath } from './spec.ts';
export { startContainer } from './start.ts';
export { removeLink } from './links.ts';
export { readStatistics, type ContainerStatistics } from './statistics.ts';
export { endWithSystem, killContainer, lastPatienceS, pauseContainer, restartContainer, stopContainer, unpauseContainer } from './stop.ts';
export { updateContainer } from './update.ts';
export { userOf, type ResolvedUser } from './users.ts';
export { waitContainer, type WaitCondition } from './wait.ts';
