import { CliError } from '../cli-error.ts';

/** One end of a copy: a path of this machine (container ''), or of a container. */
export interface CopyPlace {
  container: string;
  path: string;
}

/** `NAME:PATH`; what begins with a slash or a dot is a path of this machine. */
export function parseCopyPlace(text: string): CopyPlace {
  const colon = text.indexOf(':');
  if (text.startsWith('/') || text.startsWith('.') || colon < 0) return { container: '', path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** The shortest path of the same meaning, by its text alone. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..' || (parts.length === 0 && !path.startsWith('/')) || parts.at(-1) === '..') parts.push(part);
    else parts.pop();
  }
  const clean = parts.join('/');
  return path.startsWith('/') ? `/${clean}` : clean || '.';
}

function namesItself(path: string): boolean {
  return path.split('/').at(-1) === '.';
}

/** The path says that it is a folder: by a slash or `/.` at its end. */
export function saysFolder(path: string): boolean {
  return path.endsWith('/') || namesItself(path);
}

/** Below the folder where the command runs; a slash or `/.` at the end stays, since it has a meaning. */
export function absolutePath(workingDirectory: string, path: string): string {
  const clean = cleanPath(path.startsWith('/') ? path : `${workingDirectory}/${path}`);
  return withEndOf(clean, path);
}

function withEndOf(clean: string, original: string): string {
  if (namesItself(original) && !namesItself(clean)) return `${clean === '/' ? '' : clean}/.`;
  return original.endsWith('/') && !clean.endsWith('/') ? `${clean}/` : clean;
}

/** Folder and last name; `folder/.` names the folder's content and '/' itself. */
export function splitEntry(path: string): { folder: string; base: string } {
  const clean = cleanPath(path);
  if (namesItself(path)) return { folder: clean, base: '.' };
  const slash = clean.lastIndexOf('/');
  return { folder: slash < 0 ? '.' : clean.slice(0, slash) || '/', base: clean === '/' ? '/' : clean.slice(slash + 1) };
}

/** Where a link in `path` leads, as a path. */
export function linkDestination(path: string, content: string): string {
  return content.startsWith('/') ? content : cleanPath(`${splitEntry(path).folder}/${content}`);
}

export interface CopySource {
  path: string;
  isFolder: boolean;
  /** The name that what is copied had before links were followed; undefined when it is its own. */
  name?: string | undefined;
}

/** What was asked for, of what stands where its links lead. */
export function followedSource(asked: string, target: string): { path: string; name?: string } {
  const path = withEndOf(target, asked);
  const [before, after] = [splitEntry(asked).base, splitEntry(path).base];
  return before === after ? { path } : { path, name: before };
}

export interface CopyDestination {
  path: string;
  kind: 'missing' | 'folder' | 'file';
}

/** The archive of the source is extracted into `folder`; its topmost entry comes out as `name`, if there is one. */
export interface CopyPlan {
  folder: string;
  name?: string;
}

/** Into a folder that is there, over a file, or under a new name. */
export function planCopy(sourceIsFolder: boolean, destination: CopyDestination): CopyPlan {
  if (destination.kind === 'folder') return { folder: destination.path };
  if (destination.kind === 'file' && sourceIsFolder) throw new CliError('cannot copy directory');
  if (destination.kind === 'missing' && !sourceIsFolder && saysFolder(destination.path)) throw new CliError('no such directory');
  const { folder, base } = splitEntry(destination.path);
  return { folder, name: base };
}
