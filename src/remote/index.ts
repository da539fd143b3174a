// Purpose: builds on another host over SSH, as if it were this one; connections to hosts and devices for whoever needs them.
// Owns: ssh2 towards build hosts and devices in use, host keys, what is sent there and fetched from there, and the agent that runs there.
// Must not: know how anything is built; accept a host whose key is not known.
export { agentCommand, bundleAgent } from './agent-bundle.ts';
export { runOnHost, type RemoteArtifact, type RemoteRun, type RemoteRunOptions } from './build.ts';
export { connectHost, type HostAddress, type HostAdvice, type HostChannel, type HostConnection, type HostLogin } from './connect.ts';
export { runThere, type RanThere } from './run-there.ts';
export { fingerprint, keyType, knownKeyTypes, lookUpHostKey, type HostKeyVerdict } from './known-hosts.ts';
export type { TreeFile } from './protocol.ts';
export { joinTrees, scanTree, treeDigest, type SentTree } from './tree.ts';
