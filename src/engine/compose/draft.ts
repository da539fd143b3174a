import type { Dependency, EndpointDraft, RestartPolicy, Service, SharedSpace } from './project.ts';

/** A service while it is read. */
export interface Draft {
  readonly config: Record<string, unknown>;
  readonly host: Record<string, unknown>;
  readonly binds: string[];
  readonly mounts: Record<string, unknown>[];
  readonly anonymous: Record<string, object>;
  /** Hashes of what configs and secrets contain. */
  readonly contents: string[];
  readonly dependsOn: Map<string, Dependency>;
  readonly shares: Partial<Record<SharedSpace, string>>;
  service: { image?: string; platform: string; pull: Service['pull']; replicas: number; containerName?: string; networks: Record<string, EndpointDraft> | null; networkMode: string; volumesFrom: string[]; links: [string, string][]; restart: RestartPolicy };
}
