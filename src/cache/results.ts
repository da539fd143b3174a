import { readFile, rm, stat, utimes } from 'node:fs/promises';

import { canonicalJson, type KeyIngredients, type TaskKey } from '../graph/index.ts';
import type { BlobInfo, BlobStore } from './blobs.ts';
import { isMissing, writeFileAtomic } from './file.ts';
import type { CacheLayout } from './layout.ts';

/** What a task made: output name → blob, or a tree in the cache folder. */
export interface TaskResult {
  files: Record<string, BlobInfo>;
  tree: boolean;
  durationMs: number;
}

/** Where results are looked up and kept, by task key. */
export interface Results {
  /** @param title the task's, for messages */
  get(key: string, title: string): Promise<TaskResult | null>;
  put(key: string, result: TaskResult): Promise<void>;
  drop(key: string): Promise<void>;
}

/** The results of this machine. A result counts only while everything it names is there. */
export class ResultStore implements Results {
  private readonly layout: CacheLayout;
  private readonly blobs: BlobStore;

  constructor(layout: CacheLayout, blobs: BlobStore) {
    this.layout = layout;
    this.blobs = blobs;
  }

  async get(key: string): Promise<TaskResult | null> {
    const path = this.layout.result(key);
    const result = await readJson<TaskResult>(path);
    if (!result || typeof result.files !== 'object') return null;
    if (result.tree && !(await exists(this.layout.tree(key)))) return null;
    for (const file of Object.values(result.files)) {
      if ((await this.blobs.size(file.sha256)) !== file.sizeBytes) return null;
    }
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined); // marks it as used, for pruning
    return result;
  }

  async put(key: string, result: TaskResult): Promise<void> {
    await writeFileAtomic(this.layout.result(key), `${canonicalJson(result)}\n`);
  }

  async drop(key: string): Promise<void> {
    await rm(this.layout.result(key), { force: true });
  }
}

/** What a task was made of in the last build of a project that wanted it, and the time before. */
export interface LastRun {
  key: string;
  ingredients: KeyIngredients;
  before: KeyIngredients | null;
}

export async function readLastRun(layout: CacheLayout, project: string, task: string): Promise<LastRun | null> {
  return readJson<LastRun>(layout.last(project, task));
}

export async function writeLastRun(layout: CacheLayout, project: string, task: string, run: TaskKey): Promise<void> {
  const last = await readLastRun(layout, project, task);
  if (last?.key === run.key) return;
  await writeFileAtomic(layout.last(project, task), canonicalJson({ ...run, before: last?.ingredients ?? null }));
}

/** A JSON file of ours, or null when it is missing or was damaged: both mean "make it again". */
async function readJson<T>(path: string): Promise<T | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return null;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
