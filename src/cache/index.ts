// Purpose: the store of everything built: blobs by content, results by task key, trees, locks between processes.
// Owns: the cache folder and its layout.
// Must not: know what tasks do, or read the environment to find its folder.
export { everyAtOnce } from './at-once.ts';
export { BlobStore, type BlobInfo } from './blobs.ts';
export { isDiskFull } from './disk-full.ts';
export { diskError, isMissing, temporaryName, writeFileAtomic } from './file.ts';
export { sha256File, type ByteRange } from './hashing.ts';
export { CacheLayout, defaultCacheFolder } from './layout.ts';
export { lockFile, ownIdentity } from './lock.ts';
export { cacheUsage, pruneCache, removeAbandonedWork, type CacheUsage, type Pruned } from './prune.ts';
export { remoteServer, sharedResults, type RemoteAddress, type RemoteServer, type SharedResults } from './remote/index.ts';
export { readLastRun, ResultStore, writeLastRun, type LastRun, type Results, type TaskResult } from './results.ts';
export { inWorkFolder } from './work.ts';
