import { readFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { isMissing } from './file.ts';
import type { CacheLayout } from './layout.ts';
import { isAlive } from './lock.ts';
import type { TaskResult } from './results.ts';

export interface CacheUsage {
  blobs: { count: number; bytes: number };
  trees: { count: number; bytes: number };
  partials: { count: number; bytes: number };
  results: number;
  totalBytes: number;
}

/** What the cache holds. Hard links are counted once a name. */
export async function cacheUsage(layout: CacheLayout): Promise<CacheUsage> {
  const blobs = { count: 0, bytes: 0 };
  for await (const file of files(join(layout.root, 'cas'))) add(blobs, file.sizeBytes);
  const partials = { count: 0, bytes: 0 };
  for await (const file of files(join(layout.root, 'partial'))) add(partials, file.sizeBytes);
  const trees = { count: 0, bytes: 0 };
  for (const name of await list(join(layout.root, 'trees'))) {
    trees.count++;
    for await (const file of files(join(layout.root, 'trees', name))) trees.bytes += file.sizeBytes;
  }
  let results = 0;
  for await (const file of files(join(layout.root, 'ac'))) results += file.path.endsWith('.json') ? 1 : 0;
  return { blobs, trees, partials, results, totalBytes: blobs.bytes + trees.bytes + partials.bytes };
}

export interface PruneOptions {
  /** What was not used since then goes. */
  unusedSince: Date;
  /** What was used longest ago goes until the rest is no larger; bytes. */
  keepBytes?: number | undefined;
  dryRun: boolean;
}

export interface Pruned {
  results: number;
  blobs: number;
  trees: number;
  bytes: number;
}

/** Younger files may belong to a build that has not written its result yet: they stay, whatever was asked for. */
const graceMs = 60 * 60 * 1000;

/** What goes or stays together: a result with what it names, or a blob or tree that no result names (a download, what a cut build left). */
interface Unit {
  used: number;
  result?: string;
  blobs: string[];
  tree?: string;
}

/**
 * Removes what no build used for a while, and what was used longest ago where the cache is larger than it may be.
 * Results go before the blobs they name, so that a build that runs meanwhile finds a missing result (and makes it
 * again) rather than a result without its blobs.
 */
export async function pruneCache(layout: CacheLayout, options: PruneOptions): Promise<Pruned> {
  const blobs = new Map<string, FoundFile>();
  for await (const file of files(join(layout.root, 'cas'))) blobs.set(file.name, file);
  const trees = new Map<string, { bytes: number; changed: number }>();
  for (const name of await list(join(layout.root, 'trees'))) {
    const path = join(layout.root, 'trees', name);
    let bytes = 0;
    for await (const file of files(path)) bytes += file.sizeBytes;
    trees.set(name, { bytes, changed: (await stat(path)).ctimeMs });
  }

  const kept = { blobs: new Set<string>(), trees: new Set<string>(), bytes: 0 };
  const gone: Unit[] = [];
  const young = Date.now() - graceMs;
  for (const unit of await unitsOf(layout, blobs, trees)) {
    const newBlobs = unit.blobs.filter((name) => !kept.blobs.has(name));
    const bytes = newBlobs.reduce((sum, name) => sum + (blobs.get(name)?.sizeBytes ?? 0), 0) + (trees.get(unit.tree ?? '')?.bytes ?? 0);
    const old = unit.used <= options.unusedSince.getTime();
    const tooMuch = kept.bytes + bytes > (options.keepBytes ?? Infinity);
    if ((old || tooMuch) && (unit.result !== undefined || unit.used <= young)) {
      gone.push(unit);
      continue;
    }
    for (const name of newBlobs) kept.blobs.add(name);
    if (unit.tree !== undefined) kept.trees.add(unit.tree);
    kept.bytes += bytes;
  }

  const pruned: Pruned = { results: 0, blobs: 0, trees: 0, bytes: 0 };
  const remove = async (path: string): Promise<void> => {
    if (!options.dryRun) await rm(path, { recursive: true, force: true });
  };
  for (const { result } of gone) {
    if (result === undefined) continue;
    pruned.results++;
    await remove(result);
  }
  for (const name of new Set(gone.flatMap((unit) => unit.blobs))) {
    const blob = blobs.get(name);
    if (!blob || kept.blobs.has(name) || blob.changed.getTime() > young) continue;
    pruned.blobs++;
    pruned.bytes += blob.sizeBytes;
    await remove(blob.path);
  }
  for (const { tree: name } of gone) {
    const tree = trees.get(name ?? '');
    if (name === undefined || !tree || tree.changed > young) continue;
    pruned.trees++;
    pruned.bytes += tree.bytes;
    await remove(layout.tree(name));
  }
  const unused = (modified: Date): boolean => modified <= options.unusedSince && modified.getTime() <= young;
  for (const folder of ['partial', 'logs']) {
    for await (const file of files(join(layout.root, folder))) {
      if (!unused(file.modified)) continue;
      pruned.bytes += file.sizeBytes;
      await remove(file.path);
    }
  }
  for (const name of await list(layout.aptRoots())) {
    const path = join(layout.aptRoots(), name);
    if (!unused(await lastWritten(path))) continue;
    for await (const file of files(path)) pruned.bytes += file.sizeBytes;
    await remove(path);
  }
  return pruned;
}

/** Whoever opens an apt root writes its files anew. */
async function lastWritten(aptRoot: string): Promise<Date> {
  const times = await Promise.all((await list(aptRoot)).map(async (name) => (await stat(join(aptRoot, name)).catch(() => null))?.mtimeMs ?? 0));
  return new Date(Math.max(0, ...times));
}

/** Everything in the cache, what was used last first. */
async function unitsOf(layout: CacheLayout, blobs: ReadonlyMap<string, FoundFile>, trees: ReadonlyMap<string, { changed: number }>): Promise<Unit[]> {
  const units: Unit[] = [];
  const named = new Set<string>();
  for await (const file of files(join(layout.root, 'ac'))) {
    const result = await readResult(file.path);
    const key = file.name.replace(/\.json$/, '');
    const unit: Unit = { used: result ? file.modified.getTime() : 0, result: file.path, blobs: Object.values(result?.files ?? {}).map(({ sha256 }) => sha256), ...(trees.has(key) ? { tree: key } : {}) };
    for (const name of unit.blobs) named.add(name);
    if (unit.tree !== undefined) named.add(unit.tree);
    units.push(unit);
  }
  for (const [name, { changed }] of blobs) if (!named.has(name)) units.push({ used: changed.getTime(), blobs: [name] });
  for (const [name, { changed }] of trees) if (!named.has(name)) units.push({ used: changed, blobs: [], tree: name });
  return units.toSorted((one, other) => other.used - one.used);
}

/** Removes scratch folders whose process is gone (it was killed, or the power was). */
export async function removeAbandonedWork(layout: CacheLayout): Promise<void> {
  for (const name of await list(layout.work())) {
    const folder = join(layout.work(), name);
    const owner = await readFile(join(folder, 'owner'), 'utf8').catch(() => null);
    if (owner !== null && (await isAlive(owner))) continue;
    if (owner === null) {
      // Null: it was there when the folder was listed, and its owner has removed it since.
      const info = await stat(folder).catch(() => null);
      if (info === null || Date.now() - info.mtimeMs < 60_000) continue;
    }
    await rm(folder, { recursive: true, force: true });
  }
}

function add(sum: { count: number; bytes: number }, bytes: number): void {
  sum.count++;
  sum.bytes += bytes;
}

async function readResult(path: string): Promise<TaskResult | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as TaskResult;
  } catch {
    return null;
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

interface FoundFile {
  path: string;
  name: string;
  sizeBytes: number;
  modified: Date;
  changed: Date;
}

async function* files(folder: string): AsyncGenerator<FoundFile> {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else if (entry.isFile()) {
      const info = await stat(path).catch(() => null);
      if (info) yield { path, name: entry.name, sizeBytes: info.size, modified: info.mtime, changed: info.ctime };
    }
  }
}
