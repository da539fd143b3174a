import { LABEL } from './labels.ts';
import type { Memory, Observed, SeenContainer } from './observed.ts';
import { containerName, type Condition, type Dependency, type Project, type Resource, type RestartPolicy, type Service } from './project.ts';

interface StepArgs {
  pull: { image: string; platform: string };
  'create-network': { network: Resource };
  'remove-network': { id: string; name: string };
  'create-volume': { volume: Resource };
  /** `replaces`: the container whose place it takes, and whose volumes without a name it goes on with. */
  create: { service: Service; number: number; name: string; imageId: string; replaces?: SeenContainer };
  /** `restart`: a policy that the container has to get first. */
  start: { id: string; restart?: RestartPolicy };
  /** `hold`: nothing starts it again, the engine's own start neither. */
  stop: { id: string; hold?: boolean };
  remove: { id: string };
  rename: { id: string; name: string };
  restart: { id: string };
}

/** One thing to do, for a service ('' for all of them). `key` is the same for the same attempt, so that one which failed can wait for a while. */
export type Step = { [Do in keyof StepArgs]: { readonly do: Do; readonly key: string; readonly of: string } & StepArgs[Do] }[keyof StepArgs];
export type Executors = { readonly [Do in keyof StepArgs]: (args: StepArgs[Do]) => Promise<void> };

export interface Plan {
  /** What can be done now; each is independent of the others. */
  readonly steps: readonly Step[];
  /** Services that wait, and for what. */
  readonly waiting: ReadonlyMap<string, string>;
}

const WORDS: Readonly<Record<Condition, string>> = { service_started: 'started', service_healthy: 'healthy', service_completed_successfully: 'done' };
const LIVE = new Set(['running', 'restarting', 'paused']);
const isLive = ({ status }: SeenContainer): boolean => LIVE.has(status);
const numberOf = ({ labels }: SeenContainer): number => Number(labels[LABEL.number] ?? 1);

export function ownContainers(project: string, containers: readonly SeenContainer[]): SeenContainer[] {
  return containers.filter(({ labels }) => labels[LABEL.oneOff]?.toLowerCase() !== 'true' && (labels[LABEL.kept] !== undefined || labels[LABEL.project] === project) && labels[LABEL.service] !== undefined);
}

export function ofService(project: string, name: string, containers: readonly SeenContainer[]): SeenContainer[] {
  return containers.filter(({ labels }) => labels[LABEL.project] === project && labels[LABEL.service] === name);
}

/**
 * What has to be done so that the engine has what a compose file says. Pure: carried out and asked again until nothing is left it gets there from
 * anywhere, however often it was cut off. A container is replaced only when the image and all else of its successor are there.
 */
export function planSteps(project: Project, seen: Observed, memory: Memory): Plan {
  const steps: Step[] = [];
  const waiting = new Map<string, string>();
  const containers = ownContainers(project.name, seen.containers);
  const byName = new Map(project.services.map((service) => [service.name, service]));

  const blockedNetworks = planNetworks();
  planVolumes();
  planForeign();
  for (const service of inOrder(project.services)) {
    if (isStopped(service)) stopService(service);
    else keepService(service);
  }
  planUnusedNetworks();
  return { steps, waiting };

  function isStopped({ name }: Service): boolean {
    return memory.stopped === 'all' || memory.stopped.has(name);
  }

  /** Makes those that are missing; names of those that cannot be used yet. */
  function planNetworks(): Map<string, string> {
    const blocked = new Map<string, string>();
    for (const network of project.networks) {
      const there = seen.networks.find(({ name }) => name === network.name);
      if (there === undefined) {
        if (network.external) blocked.set(network.name, `the network ${network.name}, which somebody else has to make`);
        else {
          blocked.set(network.name, `the network ${network.name}`);
          steps.push({ do: 'create-network', key: `network ${network.name} ${network.hash}`, of: '', network });
        }
      } else if (!network.external && there.labels[LABEL.hash] !== undefined && there.labels[LABEL.kept] !== undefined && there.labels[LABEL.hash] !== network.hash) {
        // Described otherwise now: those in it go first, and come back in the new one.
        blocked.set(network.name, `the network ${network.name}, which is made anew`);
        const inside = containers.filter(({ networks }) => networks.includes(network.name));
        for (const container of inside) discard(container);
        if (inside.length === 0) steps.push({ do: 'remove-network', key: `network ${there.id}`, of: '', id: there.id, name: there.name });
      }
    }
    return blocked;
  }

  function planVolumes(): void {
    for (const volume of project.volumes) {
      if (!volume.external && !seen.volumes.includes(volume.name)) steps.push({ do: 'create-volume', key: `volume ${volume.name}`, of: '', volume });
    }
  }

  /** Stops a container, and removes it when that is done. */
  function discard(container: SeenContainer): void {
    const service = container.labels[LABEL.service] ?? '';
    if (steps.some((step) => 'id' in step && step.id === container.id)) return;
    if (isLive(container)) steps.push({ do: 'stop', key: `stop ${container.id}`, of: service, id: container.id });
    else steps.push({ do: 'remove', key: `remove ${container.id}`, of: service, id: container.id });
  }

  /** Containers of services that the file no longer has, or fewer of. */
  function planForeign(): void {
    for (const container of containers) {
      const service = container.labels[LABEL.project] === project.name ? byName.get(container.labels[LABEL.service] ?? '') : undefined;
      if (service === undefined || numberOf(container) > service.replicas) discard(container);
    }
  }

  /** Networks of ours that nothing in the file wants any more, once nothing is in them. */
  function planUnusedNetworks(): void {
    for (const { id, name, labels } of seen.networks) {
      if (labels[LABEL.kept] === undefined || project.networks.some((network) => network.name === name)) continue;
      if (!containers.some(({ networks }) => networks.includes(name))) steps.push({ do: 'remove-network', key: `network ${id}`, of: '', id, name });
    }
  }

  /** Those that need it go first. */
  function stopService({ name }: Service): void {
    const live = ofService(project.name, name, containers).filter(isLive);
    const needed = project.services.find((other) => isStopped(other) && other.dependsOn.some(({ service }) => service === name) && ofService(project.name, other.name, containers).some(isLive));
    if (live.length > 0 && needed !== undefined) waiting.set(name, `${needed.name} to stop`);
    else for (const { id } of live) steps.push({ do: 'stop', key: `stop ${id}`, of: name, id, hold: true });
  }

  function keepService(service: Service): void {
    const { name, image } = service;
    const network = Object.keys(service.networks ?? {}).find((wanted) => blockedNetworks.has(wanted));
    if (network !== undefined) {
      waiting.set(name, blockedNetworks.get(network) ?? '');
      return;
    }
    const missing = project.volumes.find((volume) => !seen.volumes.includes(volume.name) && usesVolume(service, volume.name));
    if (missing !== undefined) {
      waiting.set(name, `the volume ${missing.name}${missing.external ? ', which somebody else has to make' : ''}`);
      return;
    }
    const imageId = seen.images.get(image);
    if (imageId === undefined || (service.pull === 'always' && !memory.refreshed.has(image))) {
      if (service.pull === 'never') waiting.set(name, `the image ${image}, which is not pulled (pull_policy: never)`);
      else {
        steps.push({ do: 'pull', key: `pull ${image}`, of: name, image, platform: service.platform });
        waiting.set(name, `the image ${image}`);
      }
      // What is there goes on meanwhile, whatever it was made of.
      for (const container of ofService(project.name, name, containers)) if (container.name === containerName(project, service, numberOf(container))) keepContainer(service, container);
      return;
    }
    for (let number = 1; number <= service.replicas; number += 1) keepNumber(service, number, imageId);
  }

  function isCurrent(service: Service, { labels, imageId: own, spaces, networks }: SeenContainer, imageId: string): boolean {
    return labels[LABEL.hash] === service.hash && own === imageId && Object.keys(service.networks ?? {}).every((name) => networks.includes(name)) && Object.values(service.shares).every((other) => spaces.includes(sharedId(other) ?? ''));
  }

  /** The container of another service whose network or the like is used. */
  function sharedId(service: string): string | undefined {
    const of = byName.get(service);
    return of === undefined ? undefined : ofService(project.name, service, containers).find((container) => numberOf(container) === 1 && container.labels[LABEL.hash] === of.hash)?.id;
  }

  function keepNumber(service: Service, number: number, imageId: string): void {
    const own = ofService(project.name, service.name, containers).filter((container) => numberOf(container) === number);
    const name = containerName(project, service, number);
    const [current, ...spare] = own.filter((container) => isCurrent(service, container, imageId)).toSorted((a, b) => Number(b.name === name) - Number(a.name === name));
    const old = own.filter((container) => container !== current && !spare.includes(container));
    for (const container of spare) discard(container);
    if (current === undefined) {
      const inPlace = old.find((container) => container.name === name);
      // Successors that never got their place, and would not be the right ones now.
      const leftOver = inPlace === undefined ? [] : old.filter((container) => container !== inPlace);
      for (const container of leftOver) discard(container);
      if (leftOver.length > 0) {
        waiting.set(service.name, 'its turn');
        return;
      }
      const absent = [...Object.values(service.shares), ...service.links.map(([other]) => other), ...service.volumesFrom.filter((word) => !word.startsWith('container:')).map((word) => word.split(':', 1)[0] ?? '')].find((other) => sharedId(other) === undefined);
      if (absent !== undefined) waiting.set(service.name, `${absent}, whose container it needs`);
      else {
        const place = { name: inPlace === undefined ? name : `${service.hash.slice(0, 12)}_${name}`, ...(old[0] === undefined ? {} : { replaces: old[0] }) };
        steps.push({ do: 'create', key: `create ${name} ${service.hash} ${imageId}`, of: service.name, service, number, imageId, ...place });
      }
      return;
    }
    if (old.length > 0) {
      if (isHeld(service)) return;
      for (const container of old) discard(container);
      waiting.set(service.name, 'the container before to end');
    } else if (current.name !== name) steps.push({ do: 'rename', key: `rename ${current.id}`, of: service.name, id: current.id, name });
    else keepContainer(service, current);
  }

  function keepContainer(service: Service, container: SeenContainer): void {
    const { id } = container;
    if (container.status === 'removing') return;
    if (isLive(container) ? !memory.toRestart.has(id) : !wantsStart(service, container)) return;
    if (isHeld(service)) return;
    if (isLive(container)) steps.push({ do: 'restart', key: `restart ${id}`, of: service.name, id });
    else steps.push({ do: 'start', key: `start ${id}`, of: service.name, id, ...(container.restart.Name === service.restart.Name ? {} : { restart: service.restart }) });
  }

  /** Whether a service has to wait for another one. */
  function isHeld({ name, dependsOn }: Service): boolean {
    const held = dependsOn.find((dependency) => !isMet(dependency));
    if (held !== undefined) waiting.set(name, `${held.service} to be ${WORDS[held.condition]}`);
    return held !== undefined;
  }

  /** One that ended by itself is left alone unless its restart policy says otherwise: the engine restarts those that fail. */
  function wantsStart({ restart: { Name: restart } }: Service, { id, status }: SeenContainer): boolean {
    return status === 'created' || restart === 'always' || restart === 'unless-stopped' || !memory.started.has(id) || memory.disturbed.has(id);
  }

  function isMet({ service, condition, required }: Dependency): boolean {
    const other = byName.get(service);
    if (other === undefined || isStopped(other)) return true;
    // One that is about to be replaced counts only when its successor cannot be had.
    if (steps.some((step) => step.of === service && step.do !== 'pull')) return false;
    const current = ofService(project.name, service, containers);
    if (current.length < other.replicas) return false;
    return current.every(({ id, status, health, exitCode }) => {
      const ran = memory.started.has(id) && status !== 'created';
      if (condition === 'service_healthy') return health === 'healthy' || (!required && ran && (health === 'unhealthy' || !LIVE.has(status)));
      if (condition === 'service_completed_successfully') return ran && status === 'exited' && (exitCode === 0 || !required);
      return ran || LIVE.has(status);
    });
  }
}

/** Whether a service mounts a volume of this name. */
function usesVolume({ draft: { host } }: Service, name: string): boolean {
  const { Binds, Mounts } = host as { Binds?: string[]; Mounts?: { Type: string; Source?: string }[] };
  return (Binds ?? []).some((bind) => bind.startsWith(`${name}:`)) || (Mounts ?? []).some(({ Type, Source }) => Type === 'volume' && Source === name);
}

/** Each behind all that it depends on. */
function inOrder(services: readonly Service[]): Service[] {
  const ordered = new Set<Service>();
  const visit = (service: Service): void => {
    for (const { service: name } of service.dependsOn) {
      const other = services.find((one) => one.name === name);
      if (other !== undefined && !ordered.has(other)) visit(other);
    }
    ordered.add(service);
  };
  for (const service of services) visit(service);
  return [...ordered];
}
