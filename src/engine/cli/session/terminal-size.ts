import type { ApiClient } from '../api/api-client.ts';
import type { CliPorts } from '../ports.ts';

const attempts = 5;
const retryMs = 20;

/** Keeps a container's (or exec's) terminal as large as ours: now and at every change. The result stops it. */
export function followTerminalSize(ports: CliPorts, api: ApiClient, resizePath: string): () => void {
  let last = '';
  const send = async (tries: number) => {
    const size = ports.terminal.size();
    if (!size || size.columns === 0 || size.rows === 0) return;
    const wanted = `${size.rows}x${size.columns}`;
    if (wanted === last) return;
    for (let left = tries; left > 0; left--) {
      try {
        await api.post(resizePath, { query: { h: size.rows, w: size.columns } });
        last = wanted;
        return;
      } catch {
        // A process that has just been started may have no terminal yet; one that has ended needs no size.
        await ports.clock.sleep(retryMs);
      }
    }
  };
  void send(attempts);
  return ports.process.onSignal('WINCH', () => void send(1));
}
