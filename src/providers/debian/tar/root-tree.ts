import { closeSync, openSync, readSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { Buffer } from 'node:buffer';
import type { TarEntry } from './entry.ts';
import { indexTar } from './read.ts';
import { writeTar } from './write.ts';

/** Data of a file: in memory, or a part of a file on disk. */
export type Content = { bytes: Buffer } | { file: string; offset: number };

export interface TreeNode {
  entry: TarEntry;
  content: Content | null;
}

/** A root filesystem as names and owners in memory, with the data left where it is. Paths as in `TarEntry`. */
export type RootTree = Map<string, TreeNode>;

const linkLimit = 40;

/** Adds all members of an archive on disk; later ones replace earlier ones, folders keep the first owner and mode. */
export function addTar(tree: RootTree, file: string): void {
  for (const { offset, ...entry } of indexTar(file)) {
    if (entry.path === '') continue;
    if (entry.type === 'folder' && tree.get(entry.path)?.entry.type === 'folder') continue;
    tree.set(entry.path, { entry, content: entry.type === 'file' ? { file, offset } : null });
  }
}

/** Entry with the usual values for what is not given. */
export function newEntry(path: string, type: TarEntry['type'], rest: Partial<TarEntry> = {}): TarEntry {
  const mode = type === 'folder' ? 0o755 : type === 'link' ? 0o777 : 0o644;
  return { path, type, mode, uid: 0, gid: 0, mtime: 0, sizeBytes: 0, target: '', devMajor: 0, devMinor: 0, xattrs: {}, ...rest };
}

export function putFile(tree: RootTree, path: string, data: string | Buffer, rest: Partial<TarEntry> = {}): void {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  const place = realPath(tree, path);
  putParents(tree, place);
  tree.set(place, { entry: newEntry(place, 'file', { ...rest, sizeBytes: bytes.length }), content: { bytes } });
}

export function putLink(tree: RootTree, path: string, target: string): void {
  const place = realParent(tree, path);
  putParents(tree, place);
  tree.set(place, { entry: newEntry(place, 'link', { target }), content: null });
}

/** Makes a folder, or sets mode and owner of one that is there. */
export function putFolder(tree: RootTree, path: string, rest: Partial<TarEntry> = {}): void {
  const place = realPath(tree, path);
  putParents(tree, place);
  const present = tree.get(place)?.entry;
  tree.set(place, { entry: { ...(present?.type === 'folder' ? present : newEntry(place, 'folder')), ...rest }, content: null });
}

/** Removes a path and everything below it. */
export function removePath(tree: RootTree, path: string): void {
  tree.delete(path);
  for (const key of [...tree.keys()]) if (key.startsWith(`${path}/`)) tree.delete(key);
}

/** Text of a file, following symbolic links; null when there is none. */
export function readText(tree: RootTree, path: string): string | null {
  return readBytes(tree, path)?.toString('utf8') ?? null;
}

export function readBytes(tree: RootTree, path: string): Buffer | null {
  let node = tree.get(realPath(tree, path));
  if (node?.entry.type === 'hardlink') node = tree.get(node.entry.target);
  if (node === undefined || node.content === null) return null;
  if ('bytes' in node.content) return node.content.bytes;
  const descriptor = openSync(node.content.file, 'r');
  try {
    const data = Buffer.alloc(node.entry.sizeBytes);
    for (let done = 0; done < data.length; ) {
      const length = readSync(descriptor, data, done, data.length - done, node.content.offset + done);
      if (length === 0) throw new Error(`${node.content.file} ends in the middle of ${path}`);
      done += length;
    }
    return data;
  } finally {
    closeSync(descriptor);
  }
}

/** Names in a folder, sorted. */
export function listFolder(tree: RootTree, path: string): string[] {
  const prefix = `${realPath(tree, path)}/`;
  const names: string[] = [];
  for (const key of tree.keys()) if (key.startsWith(prefix) && !key.includes('/', prefix.length)) names.push(key.slice(prefix.length));
  return names.toSorted();
}

/** Whether something (a link that leads nowhere does not count) stands at this path. */
export function exists(tree: RootTree, path: string): boolean {
  return tree.has(realPath(tree, path));
}

/** The path with all symbolic links on it followed, the last part too. */
export function realPath(tree: RootTree, path: string): string {
  return follow(tree, path, true);
}

/** The path with the links of its folders followed, but not that of its last part. */
export function realParent(tree: RootTree, path: string): string {
  return follow(tree, path, false);
}

function follow(tree: RootTree, path: string, last: boolean): string {
  let rest = path.split('/').filter((part) => part !== '');
  let done: string[] = [];
  for (let links = 0; rest.length > 0; ) {
    const [part = '', ...after] = rest;
    rest = after;
    if (part === '.') continue;
    if (part === '..') {
      done = done.slice(0, -1);
      continue;
    }
    const entry = tree.get([...done, part].join('/'))?.entry;
    if (entry?.type === 'link' && (last || rest.length > 0)) {
      links += 1;
      if (links > linkLimit) throw new Error(`symbolic links of /${path} lead in a circle`);
      if (entry.target.startsWith('/')) done = [];
      rest = [...entry.target.split('/').filter((piece) => piece !== ''), ...rest];
      continue;
    }
    done = [...done, part];
  }
  return done.join('/');
}

function putParents(tree: RootTree, path: string): void {
  for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
    const parent = path.slice(0, slash);
    if (!tree.has(parent)) tree.set(parent, { entry: newEntry(parent, 'folder'), content: null });
  }
}

/**
 * Writes the tree as an archive: sorted by path, hard links after what they repeat, no time later than `epoch`.
 * @param progress called with the bytes of data written so far
 * @param digests takes the SHA-256 of every file that is not empty, by path
 * @returns SHA-256 of the archive
 */
export async function writeTree(tree: RootTree, file: string, epoch: number, progress: (doneBytes: number) => void = () => {}, digests?: Map<string, string>): Promise<string> {
  const writer = await writeTar(file, digests);
  const handles = new Map<string, FileHandle>();
  let doneBytes = 0;
  try {
    for (const { entry, content } of ordered(tree)) {
      await writer.add({ ...entry, mtime: Math.min(entry.mtime, epoch) });
      if (content === null || entry.sizeBytes === 0) continue;
      if ('bytes' in content) await writer.write(content.bytes);
      else {
        const handle = handles.get(content.file) ?? (await open(content.file, 'r'));
        handles.set(content.file, handle);
        await writer.copy(handle, content.offset, entry.sizeBytes);
      }
      doneBytes += entry.sizeBytes;
      progress(doneBytes);
    }
    return await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    for (const handle of handles.values()) await handle.close();
  }
}

/** Sorted by path; of files with several names the first one in that order holds the data. */
function ordered(tree: RootTree): TreeNode[] {
  const nodes = [...tree.values()].toSorted((a, b) => (a.entry.path < b.entry.path ? -1 : 1));
  const holder = new Map<string, string>();
  return nodes.map((node) => {
    const original = node.entry.type === 'hardlink' ? node.entry.target : node.entry.path;
    const first = holder.get(original);
    if (first === undefined) {
      holder.set(original, node.entry.path);
      if (node.entry.type !== 'hardlink') return node;
      const data = tree.get(original);
      if (data === undefined) throw new Error(`hard link to nothing: ${node.entry.path} → ${original}`);
      return { entry: { ...data.entry, path: node.entry.path }, content: data.content };
    }
    return { entry: { ...node.entry, type: 'hardlink' as const, target: first, sizeBytes: 0 }, content: null };
  });
}
