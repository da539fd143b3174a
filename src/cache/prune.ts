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
  /** Results not used since then go, with what only they need. */
  unusedSince: Date;
  dryRun: boolean;
}

export interface Pruned {
  results: number;
  blobs: number;
  trees: number;
  bytes: number;
}

/** Younger files may belong to a build that has not written its result yet. */
const graceMs = 24 * 60 * 60 * 1000;

/**
 * Removes what no build used for a while. Results go before the blobs they name, so that a build that runs meanwhile
 * finds a missing result (and makes it again) rather than a result without its blobs.
 */
export async function pruneCache(layout: CacheLayout, options: PruneOptions): Promise<Pruned> {
  const pruned: Pruned = { results: 0, blobs: 0, trees: 0, bytes: 0 };
  const remove = async (path: string): Promise<void> => {
    if (!options.dryRun) await rm(path, { recursive: true, force: true });
  };
  const keptBlobs = new Set<string>();
  const keptTrees = new Set<string>();

  for await (const file of files(join(layout.root, 'ac'))) {
    const result = await readResult(file.path);
    if (result && file.modified > options.unusedSince) {
      for (const output of Object.values(result.files)) keptBlobs.add(output.sha256);
      if (result.tree) keptTrees.add(file.name.replace(/\.json$/, ''));
    } else {
      pruned.results++;
      await remove(file.path);
    }
  }

  const youngest = Math.min(Date.now() - graceMs, options.unusedSince.getTime());
  for await (const file of files(join(layout.root, 'cas'))) {
    if (keptBlobs.has(file.name) || file.changed.getTime() > youngest) continue;
    pruned.blobs++;
    pruned.bytes += file.sizeBytes;
    await remove(file.path);
  }
  for (const name of await list(join(layout.root, 'trees'))) {
    const path = join(layout.root, 'trees', name);
    if (keptTrees.has(name) || (await stat(path)).ctime.getTime() > youngest) continue;
    pruned.trees++;
    for await (const file of files(path)) pruned.bytes += file.sizeBytes;
    await remove(path);
  }
  for await (const file of files(join(layout.root, 'partial'))) {
    if (file.modified > options.unusedSince) continue;
    pruned.bytes += file.sizeBytes;
    await remove(file.path);
  }
  return pruned;
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
