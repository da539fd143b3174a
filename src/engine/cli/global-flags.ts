import type { FlagSpec } from './flags/flag-spec.ts';

/** Flags of the program itself; they stand before the verb. */
export const globalFlags: readonly FlagSpec[] = [
  { name: 'config', kind: 'string', help: "Folder of the client's configuration (default $HOME/.docker)", complete: 'file' },
  { name: 'context', short: 'c', kind: 'string', help: 'Accepted for compatibility: "default" is the only context', default: '' },
  { name: 'debug', short: 'D', kind: 'bool', help: 'Show where failures come from' },
  { name: 'host', short: 'H', kind: 'list', help: 'Daemon to ask: unix:///PATH or tcp://HOST:PORT (default $MINKE_HOST, $DOCKER_HOST, unix:///run/minke.sock)' },
  { name: 'log-level', short: 'l', kind: 'string', help: 'Accepted for compatibility', default: 'info' },
  { name: 'tls', kind: 'bool', help: 'Use TLS' },
  { name: 'tlscacert', kind: 'string', help: 'Trust certificates signed by this CA alone', complete: 'file' },
  { name: 'tlscert', kind: 'string', help: 'Certificate to present', complete: 'file' },
  { name: 'tlskey', kind: 'string', help: 'Key of that certificate', complete: 'file' },
  { name: 'tlsverify', kind: 'bool', help: 'Use TLS and check the daemon' },
  { name: 'version', short: 'v', kind: 'bool', help: 'Print the version and end' },
];
