import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { diskError, everyAtOnce, ownIdentity, writeLastRun, type BlobInfo, type TaskResult } from '../cache/index.ts';
import type { TaskKey } from '../graph/index.ts';
import { OsbuildError, type AnyTask, type Executor, type Input, type StepKind } from '../model/index.ts';
import { makeContext } from './context.ts';
import { TaskLog } from './log.ts';
import type { RunnerOptions } from './options.ts';

let counter = 0;

/** A task's input could not be used: the cache entry behind it was damaged and has been dropped. */
export class DamagedInput extends Error {
  readonly task: string;

  constructor(task: string) {
    super(`a cached result of ${task} is damaged`);
    this.task = task;
  }
}

/** Runs one task in a folder of its own and stores what it made. Nothing of a failed task reaches the store. */
export async function runTask(task: AnyTask, key: TaskKey, results: Map<string, TaskResult>, keys: Map<string, TaskKey>, options: RunnerOptions): Promise<TaskResult> {
  const started = performance.now();
  const log = await TaskLog.open(options.layout.log(options.project, task.id));
  const work = join(options.layout.work(), `${process.pid}-${counter++}`);
  try {
    await mkdir(work, { recursive: true });
    await writeFile(join(work, 'owner'), await ownIdentity());
    const { paths, digests, collections, blobs } = locateInputs(task, results, keys, options);
    const damaged = new AbortController();
    const { context, adopted } = await makeContext({ ...options, signal: AbortSignal.any([options.signal, damaged.signal]), task, work, log, paths, digests, collections });
    // Inputs are hashed while the task reads them already: its result counts only if all of them are what they should be.
    const checked = checkInputs(blobs, options).catch((error: unknown) => {
      damaged.abort();
      return error;
    });
    try {
      await (options.executors[task.kind].run as Executor<StepKind>)(context);
    } catch (error) {
      throw (await checked) ?? error;
    }
    const damage = await checked;
    if (damage !== null) throw damage;
    options.signal.throwIfAborted();
    const files = await collectOutputs(join(work, 'out'), adopted, options);
    if (task.result === 'tree') await placeTree(join(work, 'tree'), options.layout.tree(key.key));
    const result: TaskResult = { files, tree: task.result === 'tree', durationMs: Math.round(performance.now() - started) };
    await options.results.put(key.key, result);
    await writeLastRun(options.layout, options.project, task.id, key);
    return result;
  } catch (error) {
    if (options.signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled', { cause: error });
    log.line(`failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    throw diskError(error, work);
  } finally {
    await log.close();
    await rm(work, { recursive: true, force: true });
  }
}

async function collectOutputs(folder: string, adopted: Map<string, BlobInfo>, options: RunnerOptions): Promise<Record<string, BlobInfo>> {
  const files: Record<string, BlobInfo> = Object.fromEntries(adopted);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isFile()) throw new Error(`a task left ${entry.name}, which is not a file, among its results`);
    files[entry.name] = await options.blobs.take(join(folder, entry.name));
  }
  return files;
}

/** Another process may have made the same tree meanwhile; then that one stays. */
async function placeTree(from: string, to: string): Promise<void> {
  await mkdir(join(to, '..'), { recursive: true });
  try {
    await rename(from, to);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}

interface Located {
  paths: Map<string, string>;
  digests: Map<string, string>;
  collections: Map<string, Map<string, string>>;
  /** Every blob among the inputs, with the task that made it. */
  blobs: Array<{ sha256: string; task: string; key: TaskKey }>;
}

function locateInputs(task: AnyTask, results: Map<string, TaskResult>, keys: Map<string, TaskKey>, options: RunnerOptions): Located {
  const located: Located = { paths: new Map(), digests: new Map(), collections: new Map(), blobs: [] };
  for (const [name, input] of Object.entries(task.inputs)) locate(name, input, located, results, keys, options);
  return located;
}

function locate(name: string, input: Input, located: Located, results: Map<string, TaskResult>, keys: Map<string, TaskKey>, options: RunnerOptions): void {
  if (input.from === 'sources') {
    located.collections.set(name, new Map(input.files.map((file) => [file.path, join(input.root, file.path)])));
    return;
  }
  const result = results.get(input.task);
  const key = keys.get(input.task);
  if (!result || !key) throw new Error(`${input.task} has no result yet`);
  const use = ({ sha256 }: BlobInfo): string => {
    located.blobs.push({ sha256, task: input.task, key });
    return options.blobs.path(sha256);
  };
  if (input.from === 'tree') {
    located.paths.set(name, options.layout.tree(key.key));
  } else if (input.from === 'task') {
    const blob = result.files[input.output];
    if (!blob) throw new Error(`${input.task} made no output called ${input.output}`);
    located.paths.set(name, use(blob));
    located.digests.set(name, blob.sha256);
  } else {
    located.collections.set(name, new Map(Object.entries(result.files).map(([output, blob]) => [output, use(blob)])));
  }
}

const checksAtOnce = 4;

/** Throws DamagedInput when a blob is not what its name says, and has its task run again next time. */
async function checkInputs(blobs: Located['blobs'], options: RunnerOptions): Promise<null> {
  await everyAtOnce(blobs, checksAtOnce, async ({ sha256, task, key }) => {
    if (await options.blobs.verify(sha256)) return true;
    await options.results.drop(key.key);
    throw new DamagedInput(task);
  });
  return null;
}
