import type { BlobStore, CacheLayout, Results } from '../cache/index.ts';
import type { BuildEvent, Executors } from '../model/index.ts';

/** What a run has of the world. */
export interface RunnerOptions {
  layout: CacheLayout;
  blobs: BlobStore;
  results: Results;
  executors: Executors;
  /** Identity of the project, which separates logs and last keys of projects that share a cache. */
  project: string;
  epoch: number;
  hostEnvironment: Record<string, string>;
  concurrency: number;
  emit: (event: BuildEvent) => void;
  signal: AbortSignal;
}
