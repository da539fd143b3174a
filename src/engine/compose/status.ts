import type { SeenContainer } from './observed.ts';
import { ofService, ownContainers, type Plan } from './plan.ts';
import type { Project, Service } from './project.ts';

export interface ServiceStatus {
  readonly name: string;
  readonly image: string;
  /** done: ended well, and nothing restarts it. */
  readonly state: 'running' | 'done' | 'stopped' | 'waiting' | 'failing';
  /** What it waits for, or what is wrong. */
  readonly detail: string;
  readonly containers: readonly { readonly id: string; readonly name: string; readonly status: string; readonly health: string | null }[];
}

/** What `minke os applications status` shows, and prints as JSON. */
export interface ApplicationsStatus {
  readonly pid: number;
  readonly project: string | null;
  readonly file: string | null;
  /** What is wrong with the file: then the last good one is in force. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  /** What is wrong beyond the services. */
  readonly failures: readonly string[];
  readonly stopped: boolean;
  /** Whether everything is as it is meant to be. */
  readonly settled: boolean;
  readonly services: readonly ServiceStatus[];
  /** The last requests that have been done. */
  readonly requests: readonly { readonly id: string; readonly error: string | null }[];
}

export function serviceStatus(project: Project, service: Service, containers: readonly SeenContainer[], { waiting, steps }: Plan, failures: ReadonlyMap<string, string>, stopped: boolean): ServiceStatus {
  const own = ofService(project.name, service.name, ownContainers(project.name, containers));
  const failure = failures.get(service.name);
  const shown = own.map(({ id, name, status, health }) => ({ id: id.slice(0, 12), name, status, health: health ?? null }));
  const base = { name: service.name, image: service.image, containers: shown };
  if (failure !== undefined) return { ...base, state: 'failing', detail: failure };
  if (stopped) return { ...base, state: own.some(({ status }) => status === 'running') ? 'waiting' : 'stopped', detail: waiting.get(service.name) ?? '' };
  const wait = waiting.get(service.name) ?? (steps.some((step) => step.of === service.name) ? 'its turn' : undefined);
  if (wait !== undefined) return { ...base, state: 'waiting', detail: wait };
  const ended = own.filter(({ status }) => status === 'exited' || status === 'dead');
  const bad = ended.find(({ exitCode }) => exitCode !== 0);
  if (bad !== undefined) return { ...base, state: 'failing', detail: `${bad.name} ended with ${bad.exitCode}` };
  const sick = own.find(({ status, health }) => status === 'restarting' || health === 'unhealthy');
  if (sick !== undefined) return { ...base, state: 'failing', detail: `${sick.name} is ${sick.status === 'restarting' ? `being restarted after it ended with ${sick.exitCode}` : 'unhealthy'}` };
  return { ...base, state: own.length > 0 && ended.length === own.length ? 'done' : 'running', detail: '' };
}
