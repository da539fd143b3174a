// Purpose: results shared with other machines through a server that speaks the HTTP protocol of bazel-remote.
// Owns: the protocol, what is taken and stored, and what happens when the server fails.
// Must not: trust what a server sends, or let its failure be the build's.
export { remoteServer, type RemoteAddress, type RemoteServer } from './server.ts';
export { sharedResults, type SharedResults } from './shared-results.ts';
