import { createHash } from 'node:crypto';
import path from 'node:path';
import { BlobStore, CacheLayout, ResultStore } from '../../src/cache/index.ts';
import { stepVersions } from '../../src/cli/build/step-versions.ts';
import { buildGraph, taskKeys } from '../../src/graph/index.ts';
import type { AnyTask, BuildEvent, Executor, Executors, StepKind } from '../../src/model/index.ts';
import { createDebianExecutors, readHostApt, type HostApt, type LockPorts } from '../../src/providers/debian/index.ts';
import { runGraph } from '../../src/runner/index.ts';
import { hostRun } from './host-run.ts';

export const projectFolder = path.resolve(import.meta.dirname, '../..');
export const keyring = path.join(projectFolder, 'src/providers/debian/keyring/debian-archive.gpg');

/** A build of Debian tasks alone, on a cache folder of the caller, through the real runner and store. */
export interface ProviderBuild {
  ports: LockPorts;
  events: BuildEvent[];
  /** Runs the tasks that the targets need; returns the path of each output of a target, `<task>/<output>`, or of its tree. */
  run(tasks: AnyTask[], targets: string[], signal?: AbortSignal): Promise<Map<string, string>>;
}

export interface ProviderBuildOptions {
  epoch?: number;
  apt?: () => Promise<HostApt>;
  /** Executors of other steps that the plan contains. */
  extra?: Partial<Executors>;
}

export function providerBuild(cacheFolder: string, { epoch = 1793491200, apt, extra = {} }: ProviderBuildOptions = {}): ProviderBuild {
  const layout = new CacheLayout(cacheFolder);
  const blobs = new BlobStore(layout);
  const results = new ResultStore(layout, blobs);
  const events: BuildEvent[] = [];
  const emit = (event: BuildEvent): void => {
    events.push(event);
    if (process.env['OSBUILD_TEST_VERBOSE'] === '1' && event.type !== 'task-progress') process.stderr.write(`${JSON.stringify(event).slice(0, 400)}\n`);
  };
  const readApt = apt ?? (() => readHostApt(hostRun, {}));
  const absent: Executor<StepKind> = () => Promise.reject(new Error('this step is not part of the test'));
  const known = { ...createDebianExecutors({ apt: readApt }), ...extra } as Executors;
  const executors = new Proxy(known, {
    get: (table, kind: StepKind) => table[kind] ?? { version: 1, run: absent },
  });
  return {
    events,
    ports: { run: hostRun, apt: readApt, cacheFolder, keyring, emit, signal: new AbortController().signal, has: async (sha256) => (await blobs.size(sha256)) !== null },
    async run(tasks, targets, signal = new AbortController().signal) {
      const graph = buildGraph(tasks, targets);
      // As in a build: a cache that outlives the test must not answer with what older code made.
      const ofSources = await stepVersions(projectFolder, known);
      const versions = new Proxy(ofSources, { get: (table, kind: StepKind) => table[kind] ?? String(executors[kind].version) });
      const keys = taskKeys(graph, { epoch, versions, sha256: (text) => createHash('sha256').update(text).digest('hex') });
      const hostEnvironment = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', LC_ALL: 'C.UTF-8' };
      const made = await runGraph(graph, keys, targets, { layout, blobs, results, executors, project: 'test', epoch, hostEnvironment, concurrency: 2, emit, signal }, null);
      const paths = new Map<string, string>();
      for (const target of targets) {
        const result = made.get(target);
        if (result?.tree === true) paths.set(target, layout.tree(keys.get(target)?.key ?? ''));
        for (const [output, blob] of Object.entries(result?.files ?? {})) paths.set(`${target}/${output}`, blobs.path(blob.sha256));
      }
      return paths;
    },
  };
}
