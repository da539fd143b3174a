import { EngineError } from '../error.ts';
import type { Files } from '../ports/index.ts';
import { readDocument, setAside, STORE_FORMAT, writeDocument, type OnDamage } from './documents.ts';
import { withReserve } from './reserve.ts';

/** Where everything lies. `dataRoot` outlives a reboot, `execRoot` does not. */
export interface Paths {
  dataRoot: string;
  execRoot: string;
  /** Unfinished work; emptied at every start. */
  temporary: string;
  layers: string;
  images: string;
  containers: string;
  volumes: string;
  networks: string;
  bundles: string;
  exits: string;
  crunRoot: string;
}

export function enginePaths(dataRoot: string, execRoot: string): Paths {
  return {
    dataRoot,
    execRoot,
    temporary: `${dataRoot}/tmp`,
    layers: `${dataRoot}/layers`,
    images: `${dataRoot}/images`,
    containers: `${dataRoot}/containers`,
    volumes: `${dataRoot}/volumes`,
    networks: `${dataRoot}/networks`,
    bundles: `${execRoot}/bundles`,
    exits: `${execRoot}/exits`,
    crunRoot: `${execRoot}/crun`,
  };
}

export interface DataRoot {
  /** Those given, with the room that is set aside here. */
  files: Files;
  /** Lets another daemon have it. */
  release(): void;
}

/** Makes the folders, refuses a second daemon and a store from the future, and throws away unfinished work. */
export async function openDataRoot(given: Files, paths: Paths, onDamage: OnDamage): Promise<DataRoot> {
  given.mkdirs(paths.dataRoot, 0o711);
  const fd = given.open(`${paths.dataRoot}/lock`, 'read-write', 0o600);
  if (!given.tryLock(fd)) {
    given.close(fd);
    throw new EngineError('conflict', 'DATA_ROOT_IN_USE', `another daemon uses ${paths.dataRoot}`, {
      hint: 'stop it, or name another folder with --data-root (and --exec-root)',
    });
  }
  const format = readFormat(given, paths, onDamage);
  if (format !== undefined && format > STORE_FORMAT) {
    given.close(fd);
    throw new EngineError('conflict', 'STORE_TOO_NEW', `${paths.dataRoot} was written by a newer engine (format ${format}, this one knows ${STORE_FORMAT})`, {
      hint: 'install that engine again, or name another folder with --data-root; nothing has been changed',
    });
  }
  const files = withReserve(given, paths.dataRoot, paths.temporary);
  if (format === undefined) await writeDocument(files, `${paths.dataRoot}/store.json`, { format: STORE_FORMAT });
  await empty(files, paths.temporary);
  for (const folder of [paths.temporary, paths.layers, paths.images, paths.containers, paths.networks, paths.execRoot, paths.bundles, paths.exits, paths.crunRoot]) {
    files.mkdirs(folder, 0o700);
  }
  // Containers reach their volumes and root file systems through these two whatever their user is.
  files.mkdirs(paths.volumes, 0o711);
  for (const folder of [paths.containers, paths.layers]) files.chmod(folder, 0o711);
  return { files, release: () => files.close(fd) };
}

/** The folder itself stays: on a full disk there is no room for another, and what its removal frees counts later. */
async function empty(files: Files, folder: string): Promise<void> {
  if (!files.exists(folder)) return;
  for (const { name } of files.readdir(folder)) await files.removeTree(`${folder}/${name}`);
}

/** Undefined for a new store, and for one whose note of it cannot be read: every part of it is checked by itself anyway. */
function readFormat(files: Files, { dataRoot }: Paths, onDamage: OnDamage): number | undefined {
  const path = `${dataRoot}/store.json`;
  if (!files.exists(path)) return undefined;
  try {
    const { format } = readDocument<{ format: unknown }>(files, path);
    if (typeof format === 'number' && Number.isInteger(format)) return format;
    throw new EngineError('internal', 'STORE_DAMAGED', `${path} says nothing of the store's format`);
  } catch (error) {
    onDamage(path, error);
    setAside(files, dataRoot, path);
    return undefined;
  }
}
