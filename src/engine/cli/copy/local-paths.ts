import { systemErrorCode } from '../../error.ts';
import type { Files, FileStat } from '../../ports/index.ts';
import { CliError } from '../cli-error.ts';
import { reasonOf } from '../ports.ts';
import { cleanPath, followedSource, linkDestination, splitEntry, type CopyDestination, type CopySource } from './copy-paths.ts';

const LINKS_LIMIT = 10;

function statOrNull(files: Files, path: string, how: 'stat' | 'lstat'): FileStat | null {
  try {
    return files[how](path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw new CliError(`${how} ${path}: ${reasonOf(error)}`, 1, { cause: error });
  }
}

function present(files: Files, path: string, how: 'stat' | 'lstat'): FileStat {
  const stat = statOrNull(files, path, how);
  if (stat === null) throw new CliError(`${how} ${path}: no such file or directory`);
  return stat;
}

/** Where a path leads, all its links followed. */
function realPath(files: Files, path: string): string {
  const root = files.openRoot('/');
  try {
    return root.resolve(path);
  } catch (error) {
    throw new CliError(`lstat ${firstMissing(files, path, 0)}: ${reasonOf(error)}`, 1, { cause: error });
  } finally {
    root.close();
  }
}

/** Where a path that leads nowhere breaks off. */
function firstMissing(files: Files, path: string, links: number): string {
  const parts = cleanPath(path).split('/');
  for (let count = 2; count <= parts.length; count++) {
    const place = parts.slice(0, count).join('/');
    const stat = statOrNull(files, place, 'lstat');
    if (stat === null) return place;
    if (stat.type === 'symlink' && statOrNull(files, place, 'stat') === null) return links < LINKS_LIMIT ? firstMissing(files, linkDestination(place, files.readlink(place)), links + 1) : place;
  }
  return path;
}

/** What an absolute path of this machine names. A link is copied as it is, unless it is to be followed or a slash stands behind it. */
export function localSource(files: Files, path: string, followLink: boolean): CopySource {
  const followed = followLink || path.endsWith('/') || path.endsWith('/.');
  const { folder, base } = splitEntry(path);
  const real = followed ? realPath(files, cleanPath(path)) : cleanPath(`${realPath(files, folder)}/${base}`);
  const source = followedSource(path, real);
  return { ...source, isFolder: present(files, source.path, 'lstat').type === 'directory' };
}

/** Where an absolute path of this machine leads to, also when nothing stands there yet. */
export function localDestination(files: Files, path: string): CopyDestination {
  let place = path;
  for (let links = 0; ; links++) {
    const stat = statOrNull(files, place, 'lstat');
    if (stat === null) break;
    if (stat.type !== 'symlink') return { path: place, kind: stat.type === 'directory' ? 'folder' : 'file' };
    if (links === LINKS_LIMIT) throw new CliError(`too many symlinks in ${path}`);
    place = linkDestination(place, files.readlink(place));
  }
  const { folder } = splitEntry(place);
  if (present(files, folder, 'stat').type !== 'directory') throw new CliError('not a directory');
  return { path: place, kind: 'missing' };
}

/** Refuses what nothing can be copied to, before the container is asked. */
export function checkDestination(files: Files, path: string): void {
  const folder = splitEntry(cleanPath(path)).folder;
  if (statOrNull(files, folder, 'stat') === null) throw new CliError(`invalid output path: directory ${JSON.stringify(folder)} does not exist`);
  const stat = statOrNull(files, path, 'stat');
  if (stat?.type === 'block' || stat?.type === 'character') throw new CliError(`invalid output path: ${JSON.stringify(path)} must be a directory or a regular file: got a device`);
}
