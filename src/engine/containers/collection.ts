import { EngineError } from '../error.ts';
import type { Connection, Files } from '../ports/index.ts';
import { createQueue, readDocument, setAside, writeDocument, type OnDamage, type Paths, type Queue } from '../store/index.ts';
import { upgradeRecord, type ContainerRecord } from './record.ts';

/** Somebody who attached before the container ran. */
export interface PendingAttach {
  connected(connection: Connection): void;
  failed(error: unknown): void;
}

/** A container at run time: its durable record and what only this daemon knows of it. */
export interface Container {
  readonly id: string;
  record: ContainerRecord;
  /** Starts, ends and removal happen one after the other. */
  readonly queue: Queue;
  readonly pendingAttach: Set<PendingAttach>;
  /** Called with the exit code at every end of the first process. */
  readonly onExit: Set<(code: number) => void>;
  readonly onRemoved: Set<(code: number) => void>;
  readonly execIds: Set<string>;
  stopWatching: (() => void) | undefined;
  cancelRestart: (() => void) | undefined;
  restartDelayMs: number;
  /** Endpoints whose address is lent to it now. */
  readonly leased: Set<string>;
  /** Ends the health checks. */
  cancelHealth: (() => void) | undefined;
}

export interface ContainerCollection {
  all(): Container[];
  /** By id, name, or unique prefix of an id. Throws 'not-found'. */
  find(text: string): Container;
  hasName(name: string): boolean;
  /** Takes the name at once; the record is durable when it resolves. */
  add(record: ContainerRecord): Promise<Container>;
  save(container: Container): Promise<void>;
  rename(container: Container, name: string): Promise<void>;
  /** Forgets it, and removes its record so that a restart does too. Its folder is the caller's. */
  forget(container: Container): Promise<void>;
  folder(id: string): string;
}

export function openCollection(files: Files, paths: Paths, onDamage: OnDamage): ContainerCollection {
  const byId = new Map<string, Container>();
  const names = new Map<string, string>();
  const folder = (id: string): string => `${paths.containers}/${id}`;
  const document = (id: string): string => `${folder(id)}/container.json`;

  const enter = (record: ContainerRecord): Container => {
    const container: Container = {
      id: record.id, record, queue: createQueue(), pendingAttach: new Set(), onExit: new Set(), onRemoved: new Set(), execIds: new Set(),
      stopWatching: undefined, cancelRestart: undefined, restartDelayMs: 0, cancelHealth: undefined, leased: new Set(),
    };
    byId.set(record.id, container);
    names.set(record.name, record.id);
    return container;
  };
  for (const { name } of files.readdir(paths.containers)) {
    if (!files.exists(document(name))) continue;
    try {
      enter(upgradeRecord(readDocument<ContainerRecord>(files, document(name))));
    } catch (error) {
      onDamage(folder(name), error);
      setAside(files, paths.dataRoot, folder(name));
    }
  }
  const takeName = (name: string): void => {
    const holder = names.get(name);
    if (holder === undefined) return;
    throw new EngineError('conflict', 'NAME_TAKEN', `Conflict. The container name "/${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`);
  };

  return {
    folder,
    all: () => [...byId.values()],
    hasName: (name) => names.has(name),
    find(text) {
      const byName = names.get(text.replace(/^\//, ''));
      const exact = byId.get(text) ?? (byName === undefined ? undefined : byId.get(byName));
      if (exact !== undefined) return exact;
      const matches = /^[0-9a-f]{1,63}$/.test(text) ? [...byId.values()].filter(({ id }) => id.startsWith(text)) : [];
      if (matches.length > 1) throw new EngineError('invalid', 'CONTAINER_AMBIGUOUS', `multiple IDs found with provided prefix: ${text}`);
      if (matches[0] === undefined) throw new EngineError('not-found', 'CONTAINER_UNKNOWN', `No such container: ${text}`);
      return matches[0];
    },
    async add(record) {
      takeName(record.name);
      const container = enter(record);
      try {
        await writeDocument(files, document(record.id), record);
        await files.syncDirectory(paths.containers);
      } catch (error) {
        byId.delete(record.id);
        names.delete(record.name);
        throw error;
      }
      return container;
    },
    save: ({ id, record }) => writeDocument(files, document(id), record),
    async rename(container, name) {
      takeName(name);
      names.delete(container.record.name);
      names.set(name, container.id);
      container.record.name = name;
      await writeDocument(files, document(container.id), container.record);
    },
    async forget(container) {
      files.unlink(document(container.id));
      await files.syncDirectory(folder(container.id));
      byId.delete(container.id);
      if (names.get(container.record.name) === container.id) names.delete(container.record.name);
    },
  };
}
