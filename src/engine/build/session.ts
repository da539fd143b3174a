import type { ContainerContext } from '../containers/index.ts';
import type { Cancellation, Root } from '../ports/index.ts';
import type { Puller } from '../pull/index.ts';
import type { RegistrySettings } from '../registry/index.ts';
import type { Queue } from '../store/index.ts';
import type { Dockerfile } from './dockerfile/index.ts';
import type { Pace } from './file-tree.ts';
import type { BuildOutput } from './output.ts';
import type { BuildPlan } from './plan.ts';
import type { BuildRequest } from './request.ts';
import type { StepsStore } from './steps-store.ts';
import type { Workshop } from './workshop.ts';

/** What all builds share. */
export interface BuildEnvironment {
  containers: ContainerContext;
  puller: Puller;
  proxies: RegistrySettings['proxies'];
  steps: StepsStore;
  /** Folder of the builder below the data root. */
  folder: string;
  /** Caches that one command at a time may have. */
  locks: Map<string, Queue>;
  /** Images that builds under way stand on, a set for each. */
  held: Set<Set<string>>;
}

/** One build under way. */
export interface BuildSession extends BuildEnvironment {
  request: BuildRequest;
  output: BuildOutput;
  gone: Cancellation;
  workshop: Workshop;
  pace: Pace;
  plan: BuildPlan;
  dockerfile: Dockerfile;
  escape: string;
  /** The context's files, and where they are. */
  context: { root: Root; path: string };
  /** Build arguments that the Dockerfile has asked for. */
  consumed: Set<string>;
  /** TARGETARCH and its like. */
  platformArgs: ReadonlyMap<string, string>;
  /** Images whose steps may be used again; undefined for all. */
  allowed: ReadonlySet<string> | undefined;
  stepNumber: number;
  /** One of `held`. */
  using: Set<string>;
  /** Closed when the build ends. */
  openRoots: Root[];
}

export function shortId(imageId: string): string {
  return imageId.replace(/^sha256:/, '').slice(0, 12);
}
