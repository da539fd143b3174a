import type { ApiClient } from '../api/api-client.ts';
import { PlainError } from '../cli-error.ts';
import type { CliPorts, SignalName } from '../ports.ts';

const proxied: readonly SignalName[] = ['INT', 'TERM', 'HUP', 'QUIT', 'USR1', 'USR2', 'CONT'];
const patience = 3;

export interface SignalProxy {
  /** Rejects at the third INT or TERM: a container that ignores them must not hold the user. Never resolves. */
  readonly forced: Promise<never>;
  stop(): void;
}

/** Hands signals that we get on to the container's process. */
export function proxySignals(ports: CliPorts, api: ApiClient, containerId: string): SignalProxy {
  let force: (error: PlainError) => void = () => undefined;
  const forced = new Promise<never>((_resolve, reject) => { force = reject; });
  forced.catch(() => undefined);
  let terminations = 0;
  const stops = proxied.map((name) => ports.process.onSignal(name, () => {
    if (name === 'INT' || name === 'TERM') terminations++;
    if (terminations >= patience) force(new PlainError('\ngot 3 SIGTERM/SIGINTs, forcefully exiting'));
    // A container that has ended meanwhile refuses; its exit status arrives anyway.
    api.post(`/containers/${containerId}/kill`, { query: { signal: name } }).catch(() => undefined);
  }));
  return {
    forced,
    stop() {
      for (const stop of stops) stop();
    },
  };
}

/** For --sig-proxy=false: our own signals keep their usual effect. */
export const noSignalProxy: SignalProxy = { forced: new Promise<never>(() => undefined), stop: () => undefined };
