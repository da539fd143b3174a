import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';

import { BlobStore, remoteServer, ResultStore, sharedResults, type SharedResults, type TaskResult } from '../../cache/index.ts';
import type { Project } from '../../config/index.ts';
import { buildGraph, taskKeys, type Graph, type TaskKey } from '../../graph/index.ts';
import { isAddress } from '../../downloads/index.ts';
import { createHttpClient } from '../../http/index.ts';
import { OsbuildError, type AnyTask, type Executors, type OutputRef } from '../../model/index.ts';
import { findWork, runGraph, type RunnerOptions } from '../../runner/index.ts';
import type { Invocation } from '../command.ts';
import { debianWorld, type DebianWorld } from './debian.ts';
import { makeExecutors } from './executors.ts';
import { openForReading } from './open-repository.ts';
import { environmentProxies } from './proxies.ts';
import { secureBootKey } from './secure-boot.ts';
import { stepVersions } from './step-versions.ts';
import { yoctoPorts } from './yocto.ts';

/** Tasks and which of them are wanted. */
export interface Plan {
  tasks: AnyTask[];
  targets: string[];
  epoch: number;
}

/** A plan with its order and keys. */
export interface KeyedPlan {
  graph: Graph;
  keys: Map<string, TaskKey>;
  targets: string[];
  epoch: number;
}

/** A file that a run has made. */
export function madeFile(results: ReadonlyMap<string, TaskResult>, { task, output }: OutputRef): TaskResult['files'][string] {
  const blob = results.get(task)?.files[output];
  if (!blob) throw new Error(`${task} made no ${output}`);
  return blob;
}

/** Stores and runner of one invocation. */
export class Session {
  readonly blobs: BlobStore;
  /** Those of this machine alone. */
  readonly results: ResultStore;
  private readonly shared: SharedResults | null;
  readonly world: DebianWorld;
  readonly project: Project;
  private readonly invocation: Invocation;
  private readonly executors: Executors;
  private readonly started = performance.now();

  constructor(invocation: Invocation, project: Project) {
    this.invocation = invocation;
    this.project = project;
    this.blobs = new BlobStore(invocation.layout);
    this.results = new ResultStore(invocation.layout, this.blobs);
    this.shared = shareResults(invocation, project, this.blobs, this.results);
    this.world = debianWorld(invocation, project, this.blobs);
    this.executors = makeExecutors(this.world.apt, yoctoPorts(invocation), {
      mirrors: (project.build.files?.mirrors ?? []).map((mirror) => (isAddress(mirror) ? mirror : resolve(project.folder, mirror))),
      proxies: (host) => environmentProxies(invocation.hostEnvironment, host),
    }, { blobs: this.blobs, layout: invocation.layout, open: (name, insecure, signal) => openForReading(invocation, name, insecure, signal) }, { key: secureBootKey(project) });
  }

  async key(plan: Plan): Promise<KeyedPlan> {
    const graph = buildGraph(plan.tasks, plan.targets);
    const versions = await stepVersions(this.invocation.home, this.executors);
    const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
    return { graph, keys: taskKeys(graph, { epoch: plan.epoch, versions, sha256 }), targets: plan.targets, epoch: plan.epoch };
  }

  /** Carries out a plan and returns the results of its targets and whatever else was looked at. */
  async run(keyed: KeyedPlan, machine: string | null): Promise<Map<string, TaskResult>> {
    try {
      return await runGraph(keyed.graph, keyed.keys, keyed.targets, this.options(keyed.epoch), machine);
    } finally {
      await this.shared?.settle();
    }
  }

  async missing(keyed: KeyedPlan): Promise<string[]> {
    return (await findWork(keyed.graph, keyed.keys, keyed.targets, this.results)).missing;
  }

  /** Stores on the cache server what this machine has of a plan; resolves with how many results the server has then. */
  async push(keyed: KeyedPlan): Promise<number> {
    const { shared } = this;
    if (shared === null) throw new OsbuildError('OSB_USAGE', 'no shared cache is named', { hint: 'set OSBUILD_REMOTE_CACHE, or remoteCache.url in build.config.yaml' });
    let there = 0;
    try {
      for (const { key } of keyed.keys.values()) if (await shared.offer(key)) there++;
    } catch (error) {
      if (this.invocation.signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled', { cause: error });
      if (error instanceof OsbuildError) throw error;
      throw new OsbuildError('OSB_REMOTE_CACHE', `shared cache: ${error instanceof Error ? error.message : String(error)}`, { hint: 'what was stored stays stored: run it again', cause: error });
    }
    await shared.settle();
    return there;
  }

  /** Runs what a command does and says how it ended, in an `end` event. */
  async attended(work: () => Promise<number>): Promise<number> {
    const end = (outcome: 'ok' | 'failed' | 'cancelled'): void =>
      this.invocation.emit({ type: 'end', outcome, durationMs: Math.round(performance.now() - this.started) });
    try {
      const status = await work();
      end(status === 0 ? 'ok' : 'failed');
      return status;
    } catch (error) {
      end(error instanceof OsbuildError && error.code === 'OSB_CANCELLED' ? 'cancelled' : 'failed');
      throw error;
    }
  }

  private options(epoch: number): RunnerOptions {
    const { layout, hostEnvironment, emit, signal } = this.invocation;
    return {
      layout,
      blobs: this.blobs,
      results: this.shared ?? this.results,
      executors: this.executors,
      project: projectId(this.project),
      epoch,
      hostEnvironment,
      concurrency: Math.max(2, availableParallelism()),
      emit,
      signal,
    };
  }
}

/** The cache server of the environment or of build.config.yaml; null: none. */
function shareResults(invocation: Invocation, project: Project, blobs: BlobStore, local: ResultStore): SharedResults | null {
  const { layout, emit, signal, remoteCache, hostEnvironment } = invocation;
  const url = remoteCache.url ?? project.build.remoteCache?.url;
  if (url === undefined || url === '') return null;
  const wrong = remoteAddressProblem(url);
  if (wrong !== null) throw new OsbuildError('OSB_CONFIG_INVALID', `the address of the shared cache ${wrong}`, { hint: 'OSBUILD_REMOTE_CACHE or remoteCache.url, such as https://cache.example.com/osbuild' });
  const client = createHttpClient(environmentProxies(hostEnvironment, new URL(url).hostname), { connections: 8, stallTimeoutMs: 60_000 });
  const server = remoteServer({ url, ...(remoteCache.token === undefined ? {} : { token: remoteCache.token }) }, client);
  return sharedResults({ local, blobs, layout, server, push: remoteCache.push ?? project.build.remoteCache?.push ?? false, emit, signal });
}

function remoteAddressProblem(url: string): string | null {
  if (!URL.canParse(url)) return 'is no URL';
  return /^https?:$/.test(new URL(url).protocol) ? null : `starts with ${new URL(url).protocol}, not with http: or https:`;
}

/** Separates the logs of projects that share a cache. */
export function projectId(project: Project): string {
  return createHash('sha256').update(project.folder).digest('hex').slice(0, 12);
}
