import { encode } from 'host:bytes';
import { Sha256, sha256File } from 'host:crypto';
import { systemErrorCode, EngineError } from '../error.ts';
import { sleep, type Cancellation, type Clock, type FileStat, type Files, type Root } from '../ports/index.ts';
import type { IgnoreRules } from './ignore.ts';
import { compilePattern, hasWildcards } from './patterns.ts';

/** Files that COPY takes from: a context, or the root of a stage. */
export interface FileSource {
  root: Root;
  /** Where paths start, without a slash at the end; '' for the root. */
  base: string;
  /** What stands for the content in cache keys; undefined to hash it. */
  identity?: string;
}

/** One thing that COPY takes: the path of a file or folder as it was named, and where it leads. */
export interface Chosen {
  named: string;
  path: string;
  stat: FileStat;
}

export interface TreeEntry {
  path: string;
  /** From the start of the walk; '' for the start itself. */
  relative: string;
  stat: FileStat;
}

/** Files are walked without holding up everything else that the daemon does. */
export interface Pace {
  step(workBytes: number): Promise<void>;
}

const PAUSE_EVERY_BYTES = 4 * 1024 * 1024;
const STEP_BYTES = 16 * 1024;

export function createPace(clock: Clock, cancellation: Cancellation): Pace {
  let sinceBytes = 0;
  return {
    async step(workBytes) {
      sinceBytes += STEP_BYTES + workBytes;
      if (sinceBytes < PAUSE_EVERY_BYTES) return;
      sinceBytes = 0;
      await sleep(clock, 0);
      checkCancelled(cancellation);
    },
  };
}

export function checkCancelled(cancellation: Cancellation): void {
  if (cancellation.cancelled) throw new EngineError('internal', 'BUILD_CANCELLED', 'the build was given up: its client has gone');
}

/** What a source of COPY means: a path, or a pattern whose stars stop at slashes. Links are followed within the root. Throws 'not-found' when there is none. */
export function chooseFiles({ root, base }: FileSource, word: string): Chosen[] {
  const path = cleanSource(word);
  const names = hasWildcards(path) ? expandPattern(root, base, path) : [path];
  const chosen = names.flatMap((named): Chosen[] => {
    try {
      const inside = root.resolve(`${base}/${named}`);
      // A link of the context leads nowhere out of it.
      if (base !== '' && inside !== base && !inside.startsWith(`${base}/`)) return [];
      return [{ named, path: inside, stat: root.stat(inside) }];
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return [];
      throw error;
    }
  });
  return chosen;
}

/** Relative to the source's start; what climbs out stops there. */
function cleanSource(word: string): string {
  const parts: string[] = [];
  for (const part of word.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

function expandPattern(root: Root, base: string, pattern: string): string[] {
  let found = [''];
  for (const part of pattern.split('/')) {
    if (!hasWildcards(part)) {
      found = found.map((folder) => `${folder}${folder === '' ? '' : '/'}${part}`);
      continue;
    }
    const expression = compilePattern(part, false);
    found = found.flatMap((folder) => listFolder(root, `${base}/${folder}`).filter((name) => expression.test(name)).map((name) => `${folder}${folder === '' ? '' : '/'}${name}`));
  }
  return found;
}

function listFolder(root: Root, path: string): string[] {
  try {
    return root.readdir(path).map(({ name }) => name).toSorted();
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

/** A file, or a folder with all below it, folders before what they hold, in the order of names. Links are not followed. */
export async function* walkTree(root: Root, start: string, rules: IgnoreRules | undefined, pace: Pace): AsyncGenerator<TreeEntry> {
  const pending: { path: string; relative: string }[] = [{ path: start, relative: '' }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path, relative } = next;
    const stat = root.lstat(path);
    await pace.step(0);
    const ignored = relative !== '' && rules?.ignores(relative) === true;
    if (!ignored) yield { path, relative, stat };
    if (stat.type !== 'directory' || (ignored && rules?.hasExceptions !== true)) continue;
    for (const name of listFolder(root, path).toReversed()) pending.push({ path: `${path === '/' ? '' : path}/${name}`, relative: relative === '' ? name : `${relative}/${name}` });
  }
}

/** Digest of what a tree holds: names, kinds, modes, bytes, attributes, and owners if they count; never times. */
export async function digestTree(files: Files, root: Root, start: string, rules: IgnoreRules | undefined, owners: boolean, pace: Pace): Promise<string> {
  const hash = new Sha256();
  for await (const { path, relative, stat } of walkTree(root, start, rules, pace)) {
    const content = stat.type === 'file' ? await digestFile(files, root, path, stat.sizeBytes, pace) : stat.type === 'symlink' ? root.readlink(path) : `${stat.rdevMajor}:${stat.rdevMinor}`;
    const attributes = stat.type === 'file' || stat.type === 'directory' ? keptAttributes(root, path) : [];
    hash.update(encode(`${JSON.stringify([relative, stat.type, stat.mode & 0o7777, owners ? [stat.uid, stat.gid] : [], content, attributes.map(([name, value]) => [name, [...value]])])}\n`));
  }
  return hash.hex();
}

async function digestFile(files: Files, root: Root, path: string, sizeBytes: number, pace: Pace): Promise<string> {
  if (sizeBytes === 0) return '';
  await pace.step(0);
  const fd = root.open(path, 'read');
  try {
    return (await sha256File(fd)).hex;
  } finally {
    files.close(fd);
  }
}

/** Extended attributes that a layer keeps. */
export function keptAttributes(root: Root, path: string): [string, Uint8Array][] {
  return root.listXattr(path).toSorted().flatMap((name): [string, Uint8Array][] => {
    const value = name.startsWith('user.') || name === 'security.capability' ? root.getXattr(path, name) : null;
    return value === null ? [] : [[name, value]];
  });
}
