import { EngineError, messageOf } from '../error.ts';
import type { Device } from './device.ts';
import { readJson } from './read-json.ts';
import { readRecord } from './record.ts';
import { giveUp, onTrial } from './settle.ts';
import { isSlot, type Slot } from './slots.ts';
import type { Say } from './say.ts';

/** A folder whose content a migration changes, as it was before. */
interface KeptFolder {
  path: string;
  /** Undefined: it was not there. */
  attributes?: { mode: number; uid: number; gid: number };
}

/** Which release changed state, and how far that is. Beside it lie copies of what was there before. */
interface Journal {
  slot: Slot;
  version: string;
  fromVersion: string;
  /** running: nothing counts but the copies. done: the release runs with what it made. undone: everything is as before. */
  phase: 'running' | 'done' | 'undone';
  folders: KeptFolder[];
}

/** What `minke os status` tells. */
export interface MigrationStatus {
  version: string;
  phase: Journal['phase'];
  /** They go back to what they were when the release before comes back. */
  folders: string[];
}

/** What became of a look at the migrations. `restart`: the release on trial could not change its state, and is given up. */
export type Migrated = 'nothing' | 'done' | 'undone' | 'restart';

const FOLDER = 'migration';
const JOURNAL = 'journal.json';
/** A program of the folder that undoes what copies of folders cannot; it is copied with the rest and may be run by the release before. */
const UNDO_SUFFIX = '.undo';
/** A text of the folder: which folders the program of that name changes, one a line. */
const FOLDERS_SUFFIX = '.folders';
const PROGRAM_PATIENCE_MS = 5 * 60_000;
const SIGKILL = 9;

/**
 * Done at every start, before anything reads state that it may change. A release that an update brought runs its migrations once, each time from the state
 * that was there before; any other release that finds state which another one has changed gets it back as it was. The power may go at any moment: what was not
 * finished is done again at the next start, by whichever release that is.
 */
export async function migrate(device: Device, say: Say, patienceMs: number = PROGRAM_PATIENCE_MS): Promise<Migrated> {
  const journal = readJournal(device);
  const mine = journal !== undefined && journal.slot === device.running && journal.version === device.version;
  if (journal !== undefined && journal.phase !== 'undone' && !mine) {
    await undo(device, journal, say, patienceMs);
    return 'undone';
  }
  if (journal?.phase === 'done') return 'nothing';
  const record = readRecord(device);
  if (record === undefined || record.to !== device.running || record.toVersion !== device.version || (record.phase !== 'armed' && record.phase !== 'kept')) return 'nothing';
  const programs = migrations(device);
  if (programs.length === 0) return 'nothing';
  try {
    // Cut off in the middle: again from where it began.
    if (journal?.phase === 'running') await undo(device, journal, say, patienceMs);
    await keepState(device, record.fromVersion);
    for (const name of programs) {
      await say(`migration ${name}`);
      await runProgram(device, `${device.places.migrations}/${name}`, { from: record.fromVersion, to: device.version }, patienceMs);
    }
    await device.system.files.syncFileSystem(device.places.state);
    for (const { path } of readJournal(device)?.folders ?? []) if (device.system.files.exists(path)) await device.system.files.syncFileSystem(path);
    await setPhase(device, 'done');
    return 'done';
  } catch (error) {
    await say(`the state could not be changed for this release: ${messageOf(error)}`);
    if (!onTrial(device)) throw error;
    await giveUp(device, record, messageOf(error));
    return 'restart';
  }
}

/** What was kept to go back to goes: in one step, since copies without a journal, or half of them, would be as good as none. */
export async function forgetMigration({ system: { files }, places }: Pick<Device, 'system' | 'places'>): Promise<void> {
  const folder = `${places.state}/${FOLDER}`;
  await files.removeTree(`${folder}.old`);
  if (!files.exists(folder)) return;
  files.rename(folder, `${folder}.old`);
  await files.removeTree(`${folder}.old`);
}

export function migrationStatus(device: Pick<Device, 'system' | 'places'>): MigrationStatus | null {
  const journal = readJournal(device);
  return journal === undefined ? null : { version: journal.version, phase: journal.phase, folders: journal.folders.map(({ path }) => path) };
}

/** Programs in the order in which they run. */
function migrations({ system: { files }, places }: Pick<Device, 'system' | 'places'>): string[] {
  if (!files.exists(places.migrations)) return [];
  return files.readdir(places.migrations).flatMap(({ name }) => (name.endsWith(UNDO_SUFFIX) || name.endsWith(FOLDERS_SUFFIX) ? [] : [name])).toSorted();
}

/** Copies what the programs will change, and writes down that they run: one rename, before which nothing was begun. */
async function keepState(device: Device, fromVersion: string): Promise<void> {
  const { system: { files }, places } = device;
  const folder = `${places.state}/${FOLDER}`;
  await files.removeTree(`${folder}.new`);
  files.mkdirs(`${folder}.new/folders`, 0o700);
  files.mkdirs(`${folder}.new/programs`, 0o700);
  const paths = [...new Set(migrations(device).flatMap((name) => foldersOf(device, name)))];
  const folders: KeptFolder[] = [];
  for (const [index, path] of paths.entries()) {
    if (!files.exists(path)) {
      folders.push({ path });
      continue;
    }
    const { type, mode, uid, gid } = files.stat(path);
    if (type !== 'directory') throw new EngineError('invalid', 'OS_MIGRATION', `${path}, which a migration names, is no folder`);
    files.mkdirs(`${folder}.new/folders/${index}`, 0o700);
    await files.copyTree(path, `${folder}.new/folders/${index}`);
    folders.push({ path, attributes: { mode: mode & 0o7777, uid, gid } });
  }
  if (files.readdir(places.migrations).some(({ name }) => name.endsWith(UNDO_SUFFIX))) await files.copyTree(places.migrations, `${folder}.new/programs`);
  const journal: Journal = { slot: device.running, version: device.version, fromVersion, phase: 'running', folders };
  await files.replaceFile(`${folder}.new/${JOURNAL}`, `${JSON.stringify(journal, null, 2)}\n`);
  await files.syncFileSystem(places.state);
  await forgetMigration(device);
  files.rename(`${folder}.new`, folder);
  await files.syncDirectory(places.state);
}

/** Absolute, nothing of the system's own, and not the folder that the copies lie in. */
function foldersOf({ system: { files }, places }: Pick<Device, 'system' | 'places'>, name: string): string[] {
  const list = `${places.migrations}/${name}${FOLDERS_SUFFIX}`;
  if (!files.exists(list)) return [];
  const paths = files.readText(list).split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  for (const path of paths) {
    const parts = path.split('/').slice(1);
    if (!path.startsWith('/') || parts.some((part) => part === '' || part === '.' || part === '..') || `${places.state}/`.startsWith(`${path}/`) || path.startsWith(`${places.state}/`)) {
      throw new EngineError('invalid', 'OS_MIGRATION', `${path} is no folder that migration ${name} may change`);
    }
  }
  return paths;
}

/** Gives folders back what they held. May be begun again at any point: the copies stay until all is done. */
async function undo(device: Device, journal: Journal, say: Say, patienceMs: number): Promise<void> {
  const { system: { files }, places } = device;
  const kept = `${places.state}/${FOLDER}`;
  await say(`undoing what release ${journal.version} changed`);
  const programs = files.exists(`${kept}/programs`) ? files.readdir(`${kept}/programs`).map(({ name }) => name).filter((name) => name.endsWith(UNDO_SUFFIX)) : [];
  for (const name of programs.toSorted((a, b) => (a < b ? 1 : -1))) {
    // The release that runs has to get by with what it finds; an undoing that fails must not cost the folders.
    await runProgram(device, `${kept}/programs/${name}`, { from: journal.fromVersion, to: journal.version }, patienceMs).catch((error: unknown) => say(messageOf(error)));
  }
  for (const [index, { path, attributes }] of journal.folders.entries()) {
    if (attributes === undefined) {
      await files.removeTree(path);
      continue;
    }
    files.mkdirs(path);
    // The folder itself may be a mount.
    for (const { name } of files.readdir(path)) await files.removeTree(`${path}/${name}`);
    await files.copyTree(`${kept}/folders/${index}`, path);
    files.chown(path, attributes.uid, attributes.gid);
    files.chmod(path, attributes.mode);
    await files.syncFileSystem(path);
  }
  await files.syncFileSystem(places.state);
  await setPhase(device, 'undone');
  await files.removeTree(`${kept}/folders`);
  await files.removeTree(`${kept}/programs`);
}

async function setPhase(device: Pick<Device, 'system' | 'places'>, phase: Journal['phase']): Promise<void> {
  const journal = readJournal(device);
  if (journal === undefined) throw new EngineError('internal', 'OS_MIGRATION', 'the journal of the migration is gone');
  const folders = phase === 'undone' ? [] : journal.folders;
  await device.system.files.replaceFile(`${device.places.state}/${FOLDER}/${JOURNAL}`, `${JSON.stringify({ ...journal, phase, folders }, null, 2)}\n`);
}

function readJournal({ system: { files }, places }: Pick<Device, 'system' | 'places'>): Journal | undefined {
  const value = readJson<Journal>(files, `${places.state}/${FOLDER}/${JOURNAL}`);
  return isSlot(value?.slot) && value.version !== undefined && value.phase !== undefined && Array.isArray(value.folders) ? (value as Journal) : undefined;
}

async function runProgram({ system: { processes, clock } }: Device, path: string, versions: { from: string; to: string }, patienceMs: number): Promise<void> {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', MINKE_FROM_VERSION: versions.from, MINKE_TO_VERSION: versions.to };
  const child = processes.spawn({ argv: [path], env, newSession: true });
  let late = false;
  const calm = clock.after(patienceMs, () => {
    late = true;
    processes.kill(-child.pid, SIGKILL);
  });
  const code = await child.wait().finally(calm);
  if (late) throw new EngineError('unavailable', 'OS_MIGRATION', `migration ${name} did not end within ${Math.round(patienceMs / 1000)} s`);
  if (code !== 0) throw new EngineError('internal', 'OS_MIGRATION', `migration ${name} ended with ${code}`);
}
