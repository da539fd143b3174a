import { ENGINE_VERSION } from '../version.ts';
import { LABEL } from './labels.ts';
import type { SeenContainer } from './observed.ts';
import { containerName, type Project, type Service } from './project.ts';

export interface ContainerPlace {
  readonly service: Service;
  readonly number: number;
  readonly imageId: string;
  readonly replaces?: SeenContainer;
}

/** Body of POST /containers/create. `idOf`: the container of another service. */
export function containerRequest(project: Project, { service, number, imageId, replaces }: ContainerPlace, idOf: (service: string) => string): Record<string, unknown> {
  const { config, host } = service.draft;
  const { shares, networks } = service;
  const shared = (space: keyof typeof shares): string | undefined => (shares[space] === undefined ? undefined : `container:${idOf(shares[space])}`);
  const links = service.links.map(([other, alias]) => `${idOf(other)}:${alias}`);
  const endpoints = Object.entries(networks ?? {}).map(([name, { Aliases, ...rest }]) => [name, { ...rest, Aliases: [containerName(project, service, number), service.name, ...Aliases], ...(links.length > 0 ? { Links: links } : {}) }] as const);
  const volumesFrom = service.volumesFrom.map((word) => {
    if (word.startsWith('container:')) return word.slice('container:'.length);
    const [other = '', ...mode] = word.split(':');
    return [idOf(other), ...mode].join(':');
  });
  const pid = shared('pid');
  const ipc = shared('ipc');
  return {
    AttachStdout: true, AttachStderr: true, ...config,
    Image: service.image,
    Labels: {
      ...config.Labels, [LABEL.project]: project.name, [LABEL.service]: service.name, [LABEL.number]: String(number), [LABEL.oneOff]: 'False', [LABEL.hash]: service.hash, [LABEL.image]: imageId,
      [LABEL.dependsOn]: service.dependsOn.map(({ service: other, condition, restart }) => `${other}:${condition}:${restart}`).join(','), [LABEL.files]: project.file, [LABEL.folder]: project.folder,
      [LABEL.version]: ENGINE_VERSION, [LABEL.kept]: '1', ...(replaces === undefined ? {} : { [LABEL.replaces]: replaces.id }),
    },
    HostConfig: {
      ...host, NetworkMode: shared('network') ?? service.networkMode, ...(pid === undefined ? {} : { PidMode: pid }), ...(ipc === undefined ? {} : { IpcMode: ipc }),
      ...(volumesFrom.length > 0 ? { VolumesFrom: volumesFrom } : {}), ...inherited(service, replaces),
    },
    NetworkingConfig: { EndpointsConfig: Object.fromEntries(endpoints) },
  };
}

/** Volumes without a name go from a container to its successor, where that mounts nothing else there. */
function inherited({ draft: { host } }: Service, replaces: SeenContainer | undefined): { Mounts?: unknown[] } {
  const { Binds = [], Mounts = [], Tmpfs = {} } = host as { Binds?: string[]; Mounts?: { Type: string; Source?: string; Target: string }[]; Tmpfs?: object };
  const named = Mounts.filter(({ Type, Source }) => Type !== 'volume' || Source !== undefined);
  const taken = new Set([...Binds.map((bind) => bind.split(':')[1]), ...named.map(({ Target }) => Target), ...Object.keys(Tmpfs)]);
  const kept = Object.entries(replaces?.anonymous ?? {}).filter(([target]) => !taken.has(target)).map(([Target, Source]) => ({ Type: 'volume', Source, Target }));
  return kept.length === 0 ? {} : { Mounts: [...Mounts.filter(({ Target }) => !kept.some((mount) => mount.Target === Target)), ...kept] };
}
