import { sha256 } from 'host:crypto';
import { containerRequest, LABEL, ownContainers, type ComposeEngine, type Executors, type Project, type RestartPolicy, type SeenContainer } from '../../compose/index.ts';
import { ApiError, createApiClient } from '../api/api-client.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../command.ts';
import { ENGINE_VERSION } from '../../version.ts';
import { imagePath } from './image-actions.ts';
import { pullImage } from './image-pull.ts';

interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly Image: string;
  readonly Config: { readonly Labels?: Readonly<Record<string, string>> | null };
  readonly State: { readonly Status: string; readonly ExitCode: number; readonly Health?: { readonly Status: string } };
  readonly HostConfig: { readonly NetworkMode: string; readonly PidMode: string; readonly IpcMode: string; readonly RestartPolicy: RestartPolicy };
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, unknown>> };
  readonly Mounts: readonly { readonly Type: string; readonly Name?: string; readonly Destination: string }[];
}

export const hash = (text: string): string => sha256(text);

function seenContainer({ Id, Name, Image, Config, State, HostConfig, NetworkSettings, Mounts }: Inspected): SeenContainer {
  const spaces = [HostConfig.NetworkMode, HostConfig.PidMode, HostConfig.IpcMode].flatMap((mode) => (mode.startsWith('container:') ? mode.slice('container:'.length) : []));
  const anonymous = Mounts.flatMap(({ Type, Name: name = '', Destination }) => (Type === 'volume' && /^[0-9a-f]{64}$/.test(name) ? [[Destination, name]] : []));
  return { id: Id, name: Name.replace('/', ''), imageId: Image, labels: Config.Labels ?? {}, status: State.Status, exitCode: State.ExitCode, restart: HostConfig.RestartPolicy, health: State.Health?.Status, spaces, networks: Object.keys(NetworkSettings.Networks), anonymous: Object.fromEntries(anonymous) as Record<string, string> };
}

async function unlessMissing<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** The engine as the keeper of applications wants it, by its API. */
export function applicationsEngine(given: CommandContext): ComposeEngine {
  // What a client has agreed on holds for one life of the daemon: after a failure there is another one.
  let api = given.api;
  const fresh = (): void => {
    api.close();
    api = createApiClient(given.ports, given.config, { program: given.program, clientVersion: ENGINE_VERSION });
  };
  const isGone = (error: unknown): boolean => error instanceof CliError && !(error instanceof ApiError);
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (isGone(error)) fresh();
      throw error;
    }
  };
  const container = (id: string, action: string, query = {}): Promise<void> => guarded(() => api.post(`/containers/${id}/${action}`, { query }));

  async function containers(project: string): Promise<SeenContainer[]> {
    const list = await api.get<readonly { Id: string; Labels: Record<string, string> }[]>('/containers/json', { all: true });
    const own = list.filter(({ Labels }) => Labels[LABEL.kept] !== undefined || Labels[LABEL.project] === project);
    const seen: SeenContainer[] = [];
    for (const { Id } of own) {
      const inspected = await unlessMissing(() => api.get<Inspected>(`/containers/${Id}/json`));
      if (inspected !== undefined) seen.push(seenContainer(inspected));
    }
    return seen;
  }

  return {
    isGone,
    observe: (project) => guarded(async () => {
      const networks = await api.get<readonly { Id: string; Name: string; Labels: Record<string, string> | null }[]>('/networks');
      const { Volumes } = await api.get<{ Volumes: readonly { Name: string }[] | null }>('/volumes');
      const images = new Map<string, string>();
      for (const image of new Set(project.services.map((service) => service.image))) {
        const found = await unlessMissing(() => api.get<{ Id: string }>(`/images/${imagePath(image)}/json`));
        if (found !== undefined) images.set(image, found.Id);
      }
      return { containers: await containers(project.name), networks: networks.map(({ Id, Name, Labels }) => ({ id: Id, name: Name, labels: Labels ?? {} })), volumes: (Volumes ?? []).map(({ Name }) => Name), images };
    }),
    async* events() {
      // Of its own: it is kept open while others come and go.
      const own = createApiClient(given.ports, given.config, { program: given.program, clientVersion: ENGINE_VERSION });
      try {
        const values = own.values('GET', '/events', { query: { filters: JSON.stringify({ type: ['container'] }) } });
        yield { id: '', action: 'opened' };
        for await (const value of values) {
          const { Action, Actor } = value as { Action: string; Actor: { ID: string } };
          yield { id: Actor.ID, action: Action };
        }
      } finally {
        own.close();
      }
    },
    executors: (project) => executors(project),
  };

  function setPolicy(id: string, policy: RestartPolicy): Promise<void> {
    return guarded(() => api.post(`/containers/${id}/update`, { json: { RestartPolicy: policy } }));
  }

  function executors(project: Project): Executors {
    const labels = { [LABEL.project]: project.name, [LABEL.version]: ENGINE_VERSION, [LABEL.kept]: '1' };
    return {
      pull: ({ image, platform }) => pullImage({ ...given, api }, image, { platform, quiet: true, output: given.ports.stdout }),
      'create-network': ({ network }) => guarded(() => api.post('/networks/create', { json: { ...network.body, Name: network.name, CheckDuplicate: true, Labels: { ...network.labels, ...labels, [LABEL.network]: network.key, [LABEL.hash]: network.hash } } })),
      'remove-network': ({ id }) => guarded(() => api.delete(`/networks/${id}`)),
      'create-volume': ({ volume }) => guarded(() => api.post('/volumes/create', { json: { ...volume.body, Name: volume.name, Labels: { ...volume.labels, ...labels, [LABEL.volume]: volume.key } } })),
      create: (place) => guarded(async () => {
        const there = ownContainers(project.name, await containers(project.name));
        const idOf = (service: string): string => {
          const hashes = project.services.find(({ name }) => name === service)?.hash;
          const found = there.find(({ labels: of }) => of[LABEL.service] === service && of[LABEL.hash] === hashes);
          if (found === undefined) throw new ApiError(404, `${service} has no container yet`);
          return found.id;
        };
        await api.post('/containers/create', { query: { name: place.name, platform: place.service.platform }, json: containerRequest(project, place, idOf) });
      }),
      async start({ id, restart }) {
        if (restart !== undefined) await setPolicy(id, restart);
        await container(id, 'start');
      },
      async stop({ id, hold }) {
        if (hold === true) await setPolicy(id, { Name: 'no', MaximumRetryCount: 0 });
        await container(id, 'stop');
      },
      remove: ({ id }) => guarded(() => api.delete(`/containers/${id}`)),
      rename: ({ id, name }) => container(id, 'rename', { name }),
      restart: ({ id }) => container(id, 'restart'),
    };
  }
}
