import { removeAbandonedWork, writeLastRun, type Results, type TaskResult } from '../cache/index.ts';
import type { Graph, TaskKey } from '../graph/index.ts';
import { OsbuildError, type AnyTask, type LogExcerpt } from '../model/index.ts';
import { logTail } from './context.ts';
import type { RunnerOptions } from './options.ts';
import { DamagedInput, runTask } from './run-task.ts';

/**
 * Makes the targets of a graph: what has a result is left alone, what only leads to such results is not even looked at,
 * the rest runs as soon as its inputs are there. The first failure stops what runs and is thrown with everything that
 * is known of it; finished tasks stay finished, so the next run continues there.
 */
export async function runGraph(graph: Graph, keys: Map<string, TaskKey>, targets: readonly string[], options: RunnerOptions, machine: string | null): Promise<Map<string, TaskResult>> {
  await removeAbandonedWork(options.layout);
  // A damaged cache entry shows only when somebody reads it: then it is dropped and the plan is made again.
  for (let attempt = 0; ; attempt++) {
    try {
      return await runOnce(graph, keys, targets, options, machine, attempt === 0);
    } catch (error) {
      if (!(error instanceof DamagedInput) || attempt >= graph.tasks.size) throw error;
      options.emit({ type: 'notice', level: 'warning', code: 'CACHE_DAMAGED', message: `${error.message}; it is made again` });
    }
  }
}

/** Results that are there, and the tasks that must run for the targets. */
export async function findWork(graph: Graph, keys: Map<string, TaskKey>, targets: readonly string[], results: Results): Promise<{ found: Map<string, TaskResult>; missing: string[] }> {
  const found = new Map<string, TaskResult>();
  const missing = new Set<string>();
  const look = async (id: string): Promise<void> => {
    if (found.has(id) || missing.has(id)) return;
    const key = keys.get(id);
    const result = key && (await results.get(key.key, graph.tasks.get(id)?.title ?? id));
    if (result) {
      found.set(id, result);
      return;
    }
    missing.add(id);
    for (const need of graph.needs.get(id) ?? []) await look(need);
  };
  for (const target of targets) await look(target);
  return { found, missing: [...graph.tasks.keys()].filter((id) => missing.has(id)) };
}

async function runOnce(graph: Graph, keys: Map<string, TaskKey>, targets: readonly string[], options: RunnerOptions, machine: string | null, announce: boolean): Promise<Map<string, TaskResult>> {
  const { found: results, missing } = await findWork(graph, keys, targets, options.results);
  if (announce) {
    const toRun = missing.map((id) => ({ id, title: graph.tasks.get(id)?.title ?? id }));
    const cached = graph.tasks.size - missing.length;
    options.emit({ type: 'plan', machine, tasks: graph.tasks.size, cached, toRun, concurrency: options.concurrency });
  }

  const abort = new AbortController();
  const signal = AbortSignal.any([options.signal, abort.signal]);
  const waiting = new Set(missing);
  const running = new Map<string, Promise<void>>();
  let failure: unknown;

  const start = (id: string): void => {
    const task = graph.tasks.get(id);
    const key = keys.get(id);
    if (!task || !key) throw new Error(`unknown task ${id}`);
    waiting.delete(id);
    const started = performance.now();
    options.emit({ type: 'task-start', id, title: task.title });
    const attend = async (): Promise<void> => {
      try {
        results.set(id, await runTask(task, key, results, keys, { ...options, signal }));
        options.emit({ type: 'task-done', id, title: task.title, cached: false, durationMs: Math.round(performance.now() - started) });
      } catch (error) {
        failure ??= await explain(task, error, options);
        abort.abort();
      } finally {
        running.delete(id);
      }
    };
    running.set(id, attend());
  };

  while (waiting.size > 0 || running.size > 0) {
    if (failure === undefined && !signal.aborted) {
      for (const id of waiting) {
        if (running.size >= options.concurrency) break;
        if ((graph.needs.get(id) ?? []).every((need) => results.has(need))) start(id);
      }
    }
    if (running.size === 0) break;
    await Promise.race(running.values());
  }
  if (options.signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled', { hint: 'finished tasks are kept; the next run continues from here' });
  if (failure !== undefined) throw failure;
  // Those that did not run belong to this build as well; a full disk must not fail a build that wants nothing made.
  for (const [id, key] of keys) await writeLastRun(options.layout, options.project, id, key).catch(() => undefined);
  return results;
}

const tailLines = 20;

/** Says of a failure which task it was, where its log is and what to paste. Damaged inputs and cancelling pass as they are. */
async function explain(task: AnyTask, error: unknown, options: RunnerOptions): Promise<unknown> {
  if (error instanceof DamagedInput) return error;
  if (error instanceof OsbuildError && error.code === 'OSB_CANCELLED') return error;
  const path = options.layout.log(options.project, task.id);
  const paste = error instanceof OsbuildError ? error.details['paste'] : undefined;
  const log: LogExcerpt = { path, tail: await logTail(path, tailLines), command: typeof paste === 'string' ? paste : null };
  const known = error instanceof OsbuildError;
  const message = error instanceof Error ? error.message : String(error);
  const code = known ? error.code : 'OSB_TASK_FAILED';
  const hint = known ? error.hint : undefined;
  options.emit({ type: 'task-failed', id: task.id, title: task.title, code, message, log, ...(hint === undefined ? {} : { hint }) });
  return new OsbuildError(code, `${task.title}: ${message}`, { hint, details: { task: task.id, log }, cause: error });
}
