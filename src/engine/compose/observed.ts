import type { RestartPolicy } from './project.ts';

/** A container of the engine, as far as it matters here. */
export interface SeenContainer {
  readonly id: string;
  readonly name: string;
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly status: string;
  readonly exitCode: number;
  /** Its restart policy. */
  readonly restart: RestartPolicy;
  /** Undefined without a health check. */
  readonly health: string | undefined;
  /** Spaces of other containers that it uses, by their ids. */
  readonly spaces: readonly string[];
  /** Names of the networks that it is in; one that has gone has none. */
  readonly networks: readonly string[];
  /** Volumes without a name of their own, by where they are. */
  readonly anonymous: Readonly<Record<string, string>>;
}

export interface SeenNetwork {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What the engine has. */
export interface Observed {
  readonly containers: readonly SeenContainer[];
  readonly networks: readonly SeenNetwork[];
  readonly volumes: readonly string[];
  /** Ids of images by the names that services give them. */
  readonly images: ReadonlyMap<string, string>;
}

/** What is to be known besides the file and the engine. */
export interface Memory {
  /** Services that somebody has told to stay stopped; all of them. */
  readonly stopped: 'all' | ReadonlySet<string>;
  /** Containers that have run since the system started. */
  readonly started: ReadonlySet<string>;
  /** Containers that somebody else has stopped or killed. */
  readonly disturbed: ReadonlySet<string>;
  /** Containers to restart: what they depend on has been made anew. */
  readonly toRestart: ReadonlySet<string>;
  /** Images that have been asked for again, where `pull_policy: always` wants it. */
  readonly refreshed: ReadonlySet<string>;
}
