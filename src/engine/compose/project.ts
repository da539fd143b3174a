/** Body of POST /containers/create, but for what is known only when a container is made. */
export interface ContainerDraft {
  readonly config: Readonly<Record<string, unknown>> & { readonly Labels: Readonly<Record<string, string>> };
  readonly host: Readonly<Record<string, unknown>>;
}

export interface RestartPolicy {
  readonly Name: string;
  readonly MaximumRetryCount: number;
}

export type Condition = 'service_started' | 'service_healthy' | 'service_completed_successfully';

export interface Dependency {
  readonly service: string;
  readonly condition: Condition;
  /** False: one that is missing or fails holds nothing up. */
  readonly required: boolean;
  /** Whether the service is restarted when the other one is made anew. */
  readonly restart: boolean;
}

/** What a service takes part in of another one's containers. */
export type SharedSpace = 'network' | 'ipc' | 'pid';

export interface Service {
  readonly name: string;
  readonly image: string;
  readonly platform: string;
  readonly pull: 'missing' | 'always' | 'never';
  readonly replicas: number;
  /** In place of PROJECT-SERVICE-NUMBER. */
  readonly containerName?: string;
  readonly restart: RestartPolicy;
  readonly dependsOn: readonly Dependency[];
  readonly draft: ContainerDraft;
  /** Names of networks, with how the service takes part; null: `networkMode` says it. */
  readonly networks: Readonly<Record<string, EndpointDraft>> | null;
  readonly networkMode: string;
  readonly shares: Readonly<Partial<Record<SharedSpace, string>>>;
  /** Services (or containers, with `container:`) whose volumes it has too. */
  readonly volumesFrom: readonly string[];
  /** Other services by the names that this one knows them by. */
  readonly links: readonly (readonly [service: string, alias: string])[];
  /** Of all that makes a container another one. */
  readonly hash: string;
}

export interface EndpointDraft {
  readonly Aliases: readonly string[];
  readonly IPAMConfig?: { readonly IPv4Address?: string; readonly IPv6Address?: string; readonly LinkLocalIPs?: readonly string[] };
  readonly MacAddress?: string;
  readonly DriverOpts?: Readonly<Record<string, string>>;
}

/** A network or a volume. */
export interface Resource {
  /** In the file. */
  readonly key: string;
  /** In the engine. */
  readonly name: string;
  /** Somebody else makes it. */
  readonly external: boolean;
  /** Body of the request that makes it, without name and labels. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly hash: string;
}

/** A compose file with everything put in: what has to be there. Plain data: it is kept as the last good one. */
export interface Project {
  readonly format: 1;
  readonly name: string;
  /** The file, and the folder that its paths start from. */
  readonly file: string;
  readonly folder: string;
  /** In the order of their names. */
  readonly services: readonly Service[];
  readonly networks: readonly Resource[];
  readonly volumes: readonly Resource[];
  /** Contents that stand in the compose file itself, by the path where containers find them. */
  readonly contents: Readonly<Record<string, string>>;
}

/** The same value for the same content, in whatever order the keys stand. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}

export const containerName = (project: Pick<Project, 'name'>, { containerName: own, name }: Pick<Service, 'containerName' | 'name'>, number: number): string => own ?? `${project.name}-${name}-${number}`;
