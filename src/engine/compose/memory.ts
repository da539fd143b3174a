import { LABEL } from './labels.ts';
import type { Memory, Observed } from './observed.ts';
import type { KeeperFiles, Places } from './places.ts';

/** What the keeper knows besides the file and the engine. What has to outlast the keeper, or a restart of the system, is in files. */
export interface KeeperMemory extends Memory {
  readonly refreshed: Set<string>;
  /** Containers that we are stopping ourselves. */
  readonly ours: Set<string>;
  /** Images that the engine had when it was looked at last, by the names that services give them. */
  readonly images: ReadonlySet<string>;
  see(observed: Observed): void;
  ran(id: string): void;
  /** We are about to stop it: if it is wanted after all, it has to be started. */
  ending(id: string): void;
  heard(id: string, action: string): void;
  restartLater(service: string): void;
  setStopped(verb: 'start' | 'stop', services: readonly string[], known: ReadonlySet<string>): Promise<void>;
}

export function openMemory(files: KeeperFiles, { state, run }: Places): KeeperMemory {
  const stoppedFile = `${state}/stopped.json`;
  // Gone after a restart of the system, when everything has to be started again.
  const startedFile = `${run}/started.json`;
  const read = (path: string): unknown => {
    try {
      return JSON.parse(files.readText(path));
    } catch {
      return undefined;
    }
  };
  const list = (value: unknown): string[] => (Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []);
  const kept = read(stoppedFile);
  let stopped: Memory['stopped'] = kept === 'all' ? 'all' : new Set(list(kept));
  const started = new Set(list(read(startedFile)));
  const disturbed = new Set<string>();
  const toRestart = new Set<string>();
  const services = new Set<string>();
  const refreshed = new Set<string>();
  const ours = new Set<string>();
  let images: ReadonlySet<string> = new Set();
  const saveStarted = (): void => files.writeText(startedFile, JSON.stringify([...started]), 0o600);

  return {
    get stopped() { return stopped; },
    get images() { return images; },
    started, disturbed, toRestart, refreshed, ours,
    see({ containers, images: offered }) {
      images = new Set(offered.keys());
      const before = started.size;
      const ids = new Set(containers.map(({ id }) => id));
      for (const set of [started, disturbed, toRestart]) for (const id of set) if (!ids.has(id)) set.delete(id);
      let changed = started.size !== before;
      for (const { id, status, labels } of containers) {
        const live = status === 'running' || status === 'paused' || status === 'restarting';
        if (live && !started.has(id)) {
          started.add(id);
          changed = true;
        }
        if (services.has(labels[LABEL.service] ?? '')) (live ? toRestart : disturbed).add(id);
      }
      services.clear();
      if (changed) saveStarted();
    },
    ran(id) {
      disturbed.delete(id);
      toRestart.delete(id);
      if (started.has(id)) return;
      started.add(id);
      saveStarted();
    },
    ending(id) {
      if (started.delete(id)) saveStarted();
    },
    heard(id, action) {
      if ((action === 'stop' || action === 'kill') && !ours.has(id)) disturbed.add(id);
      if (action === 'start') disturbed.delete(id);
    },
    restartLater: (service) => void services.add(service),
    async setStopped(verb, names, known) {
      const before = stopped === 'all' ? new Set(known) : new Set(stopped);
      for (const name of names) if (verb === 'stop') before.add(name);
      else before.delete(name);
      stopped = names.length > 0 ? (verb === 'stop' && stopped === 'all' ? 'all' : before) : verb === 'stop' ? 'all' : new Set();
      files.mkdirs(state, 0o700);
      await files.replaceFile(stoppedFile, JSON.stringify(stopped === 'all' ? 'all' : [...stopped]), 0o600);
    },
  };
}
