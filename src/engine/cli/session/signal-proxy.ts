import type { ApiClient } from '../api/api-client.ts';
import type { CliPorts, SignalName } from '../ports.ts';

const proxied: readonly SignalName[] = ['INT', 'TERM', 'HUP', 'QUIT', 'USR1', 'USR2', 'CONT'];

/** Hands signals that we get on to the container's process. The result stops it. */
export function proxySignals(ports: CliPorts, api: ApiClient, containerId: string): () => void {
  const stops = proxied.map((name) => ports.process.onSignal(name, () => {
    // A container that has ended meanwhile refuses; its exit status arrives anyway.
    api.post(`/containers/${containerId}/kill`, { query: { signal: name } }).catch(() => undefined);
  }));
  return () => {
    for (const stop of stops) stop();
  };
}
