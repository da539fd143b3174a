import { systemErrorCode } from '../error.ts';
import type { FileStat, Root } from '../ports/index.ts';
import type { Container } from './collection.ts';
import type { ContainerContext } from './context.ts';
import { isWhiteout, OPAQUE, PLACEHOLDERS } from './upper-archive.ts';

/** Docker's numbers. */
const MODIFIED = 0;
const ADDED = 1;
const DELETED = 2;

export interface Change {
  Path: string;
  Kind: typeof MODIFIED | typeof ADDED | typeof DELETED;
}

/** Folders that the runtime makes for its own mounts where an image has none. */
const MOUNT_POINTS = ['/dev', '/proc', '/sys'];

/** What a container's own layer has that its image has not, what it hides of it, and what it has in another form; sorted by path. */
export function containerChanges({ system, layers, paths, collection }: ContainerContext, { id, record }: Container): Change[] {
  const { files } = system;
  const upper = files.openRoot(`${collection.folder(id)}/upper`);
  const lower: Root[] = [];
  try {
    for (const diffId of record.diffIds.toReversed()) {
      const folder = layers.get(diffId)?.folder;
      if (folder !== undefined) lower.push(files.openRoot(`${paths.layers}/${folder}/diff`));
    }
    return changesBetween(upper, lower).toSorted((a, b) => (a.Path < b.Path ? -1 : 1));
  } finally {
    upper.close();
    for (const root of lower) root.close();
  }
}

/** `lower`: the image's layers, the uppermost first. */
export function changesBetween(upper: Root, lower: readonly Root[]): Change[] {
  const changes = new Map<string, Change['Kind']>();
  const record = (path: string, kind: Change['Kind']): void => {
    changes.set(path, kind);
    // A folder in which something changed has changed, whatever its own times say.
    for (let parent = parentOf(path); parent !== '' && !changes.has(parent); parent = parentOf(parent)) changes.set(parent, findBelow(lower, parent) === undefined ? ADDED : MODIFIED);
  };
  const pending = children(upper, '');
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const stat = upper.lstat(path);
    if (stat.type === 'directory') pending.push(...children(upper, path));
    if (stat.type === 'file' && stat.sizeBytes === 0 && PLACEHOLDERS.includes(path)) continue;
    const below = findBelow(lower, path);
    if (isWhiteout(stat)) {
      if (below !== undefined) record(path, DELETED);
    } else if (below === undefined) {
      if (!MOUNT_POINTS.includes(path)) record(path, ADDED);
    } else if (stat.type !== 'directory' || below.type !== 'directory' || !isSameFolder(path, stat, below)) record(path, MODIFIED);
  }
  return [...changes].map(([Path, Kind]) => ({ Path, Kind }));
}

/** Overlay copies folders up for what lies below them; that alone is no change. */
function isSameFolder(path: string, one: FileStat, other: FileStat): boolean {
  const sameTime = one.mtimeSeconds === other.mtimeSeconds && one.mtimeNanoseconds === other.mtimeNanoseconds;
  return one.mode === other.mode && one.uid === other.uid && one.gid === other.gid && (sameTime || PLACEHOLDERS.some((file) => parentOf(file) === path));
}

/** What an image has at a path: the uppermost layer that has it, unless a layer above hides it or what leads to it. */
function findBelow(lower: readonly Root[], path: string): FileStat | undefined {
  const ancestors = path.split('/').slice(1, -1).map((_, index, names) => `/${names.slice(0, index + 1).join('/')}`);
  for (const root of lower) {
    let hides = false;
    let reached = true;
    for (const ancestor of ancestors) {
      const stat = lookUp(root, ancestor);
      if (stat === undefined || stat.type !== 'directory') {
        hides ||= stat !== undefined;
        reached = false;
        break;
      }
      hides ||= root.listXattr(ancestor).includes(OPAQUE);
    }
    const stat = reached ? lookUp(root, path) : undefined;
    if (stat !== undefined) return isWhiteout(stat) ? undefined : stat;
    if (hides) return undefined;
  }
  return undefined;
}

function lookUp(root: Root, path: string): FileStat | undefined {
  try {
    return root.lstat(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT' || systemErrorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function children(root: Root, folder: string): string[] {
  return root.readdir(folder === '' ? '/' : folder).map(({ name }) => `${folder}/${name}`);
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
