import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { BlobStore, CacheLayout, ResultStore } from '../../src/cache/index.ts';
import { buildGraph, taskKeys } from '../../src/graph/index.ts';
import { OsbuildError, type AnyTask, type BuildEvent, type Executors, type StepContext, type StepKind } from '../../src/model/index.ts';
import { findWork, runGraph, type RunnerOptions } from '../../src/runner/index.ts';

// Two real kinds of step serve as stages; their executors here only write text.
let folder: string;
let events: BuildEvent[];
let ran: string[];
type Run = (context: StepContext) => Promise<void>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'osbuild-runner-'));
  events = [];
  ran = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function tasks(text: string): AnyTask[] {
  const file = { path: text, digest: text, type: 'file' as const };
  return [
    { id: 'a', kind: 'engine/bundle', title: 'first', args: {}, inputs: { s: { from: 'sources', root: '/', files: [file] } }, result: 'files' },
    { id: 'b', kind: 'engine/compile', title: 'second', args: { arch: 'amd64' }, inputs: { from: { from: 'task', task: 'a', output: 'x' } }, result: 'files' },
  ];
}

const first: Run = async (context) => {
  ran.push('a');
  await writeFile(context.output('x'), `made from ${[...context.inputs('s').keys()].join()}`);
};
const second: Run = async (context) => {
  ran.push('b');
  await writeFile(context.output('y'), `${await readFile(context.input('from'), 'utf8')}, then b`);
};

function options(a: Run = first, b: Run = second, signal = new AbortController().signal): RunnerOptions {
  const layout = new CacheLayout(folder);
  const blobs = new BlobStore(layout);
  const executors = { 'engine/bundle': { version: 1, run: a }, 'engine/compile': { version: 1, run: b } } as unknown as Executors;
  return { layout, blobs, results: new ResultStore(layout, blobs), executors, project: 'p', epoch: 0, hostEnvironment: { PATH: '/usr/bin:/bin' }, concurrency: 2, emit: (event) => events.push(event), signal };
}

async function build(text: string, use: RunnerOptions = options()): Promise<string> {
  const graph = buildGraph(tasks(text), ['b']);
  const keys = taskKeys(graph, { epoch: 0, versions: new Proxy({}, { get: () => '1' }) as Record<StepKind, string>, sha256: (data) => createHash('sha256').update(data).digest('hex') });
  const results = await runGraph(graph, keys, ['b'], use, null);
  return readFile(use.blobs.path(results.get('b')?.files['y']?.sha256 ?? ''), 'utf8');
}

test('runs what is missing, and nothing the second time', async () => {
  expect(await build('1')).toBe('made from 1, then b');
  expect(ran).toEqual(['a', 'b']);
  expect(await build('1')).toBe('made from 1, then b');
  expect(ran).toEqual(['a', 'b']);
  expect(events.filter((event) => event.type === 'plan').map((event) => event.cached)).toEqual([0, 2]);
});

test('leaves no scratch behind, not even of a failed task', async () => {
  await build('1');
  await expect(build('2', options(async () => Promise.reject(new Error('broken'))))).rejects.toThrow('first: broken');
  expect(await readdir(join(folder, 'work'))).toEqual([]);
});

test('a failure names the task, its log, and stores nothing', async () => {
  const failing: Run = async (context) => {
    await writeFile(context.output('x'), 'half');
    context.log('what it did');
    throw new OsbuildError('OSB_KERNEL_INCOMPLETE', 'no erofs', { hint: 'add it' });
  };
  const error = await build('1', options(failing)).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 'OSB_KERNEL_INCOMPLETE', message: 'first: no erofs', hint: 'add it' });
  const failed = events.find((event) => event.type === 'task-failed');
  expect(failed?.type === 'task-failed' && failed.log?.tail).toContain('what it did');
  expect(await build('1')).toBe('made from 1, then b');
});

test('a flipped byte in a stored input ends the task that reads it, and what was made of it does not count', async () => {
  await build('1');
  const stored = (await readdir(join(folder, 'cas'), { recursive: true })).map((path) => join(folder, 'cas', path));
  for (const file of stored.filter((path) => /[0-9a-f]{64}$/.test(path))) {
    if ((await readFile(file, 'utf8')) !== 'made from 1') continue;
    await chmod(file, 0o644);
    await writeFile(file, 'made from 2');
  }
  ran = [];
  const changedB: Run = async (context) => {
    const text = await readFile(context.input('from'), 'utf8');
    ran.push(`b with ${text}`);
    await writeFile(context.output('y'), `${text}, anew`);
    // With what it cannot use it would go on for ever, were it not told to stop.
    if (text !== 'made from 1') await new Promise((_resolve, reject) => context.signal.addEventListener('abort', () => reject(new Error('stopped'))));
  };
  const use = options(first, changedB);
  const graph = buildGraph(tasks('1'), ['b']);
  const versions = new Proxy({}, { get: (_target, kind) => (kind === 'engine/compile' ? '2' : '1') }) as Record<StepKind, string>;
  const keys = taskKeys(graph, { epoch: 0, versions, sha256: (data) => createHash('sha256').update(data).digest('hex') });
  const results = await runGraph(graph, keys, ['b'], use, null);
  expect(await readFile(use.blobs.path(results.get('b')?.files['y']?.sha256 ?? ''), 'utf8')).toBe('made from 1, anew');
  expect(ran).toEqual(['b with made from 2', 'a', 'b with made from 1']);
  expect(events.some((event) => event.type === 'notice' && event.code === 'CACHE_DAMAGED')).toBe(true);
});

test('cancelling ends the run and keeps what is finished', async () => {
  const abort = new AbortController();
  const slow: Run = (context) =>
    new Promise((_resolve, reject) => {
      ran.push('b');
      context.signal.addEventListener('abort', () => reject(new Error('stopped')));
      abort.abort();
    });
  await expect(build('1', options(first, slow, abort.signal))).rejects.toMatchObject({ code: 'OSB_CANCELLED' });
  ran = [];
  expect(await build('1')).toBe('made from 1, then b');
  expect(ran).toEqual(['b']);
});

test('two runs at once both succeed', async () => {
  const both = await Promise.all([build('1', options()), build('1', options())]);
  expect(both).toEqual(['made from 1, then b', 'made from 1, then b']);
});

test('a result whose blob is gone does not count', async () => {
  const use = options();
  await build('1', use);
  await rm(join(folder, 'cas'), { recursive: true });
  const graph = buildGraph(tasks('1'), ['b']);
  const keys = taskKeys(graph, { epoch: 0, versions: new Proxy({}, { get: () => '1' }) as Record<StepKind, string>, sha256: (data) => createHash('sha256').update(data).digest('hex') });
  expect((await findWork(graph, keys, ['b'], use.results)).missing).toEqual(['a', 'b']);
});
