import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';

import { BlobStore, ResultStore, type TaskResult } from '../../cache/index.ts';
import type { Project } from '../../config/index.ts';
import { buildGraph, taskKeys, type Graph, type TaskKey } from '../../graph/index.ts';
import { OsbuildError, type AnyTask, type Executors } from '../../model/index.ts';
import { findWork, runGraph, type RunnerOptions } from '../../runner/index.ts';
import type { Invocation } from '../command.ts';
import { debianWorld, type DebianWorld } from './debian.ts';
import { makeExecutors } from './executors.ts';
import { stepVersions } from './step-versions.ts';

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

/** Stores and runner of one invocation. */
export class Session {
  readonly blobs: BlobStore;
  readonly results: ResultStore;
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
    this.world = debianWorld(invocation, project, this.blobs);
    this.executors = makeExecutors(this.world.apt);
  }

  async key(plan: Plan): Promise<KeyedPlan> {
    const graph = buildGraph(plan.tasks, plan.targets);
    const versions = await stepVersions(this.invocation.home, this.executors);
    const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
    return { graph, keys: taskKeys(graph, { epoch: plan.epoch, versions, sha256 }), targets: plan.targets, epoch: plan.epoch };
  }

  /** Carries out a plan and returns the results of its targets and whatever else was looked at. */
  async run(keyed: KeyedPlan, machine: string | null): Promise<Map<string, TaskResult>> {
    return runGraph(keyed.graph, keyed.keys, keyed.targets, this.options(keyed.epoch), machine);
  }

  async missing(keyed: KeyedPlan): Promise<string[]> {
    return (await findWork(keyed.graph, keyed.keys, keyed.targets, this.results)).missing;
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
      results: this.results,
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

/** Separates the logs of projects that share a cache. */
export function projectId(project: Project): string {
  return createHash('sha256').update(project.folder).digest('hex').slice(0, 12);
}
