import { jsonLines } from '../../http/client.ts';
import type { OsEngine } from '../../os/index.ts';
import { DEFAULT_PROFILE, refuseIoctl } from '../../seccomp/index.ts';
import { ApiError } from '../api/api-client.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../command.ts';
import { splitImageName } from '../output/image-name.ts';
import { showProgress } from '../output/progress.ts';
import { createDemultiplexer } from '../session/multiplex.ts';
import { imagePath } from './image-actions.ts';
import { pullImage } from './image-pull.ts';

interface ImageFacts {
  readonly Id: string;
  readonly RepoTags?: readonly string[] | null;
  readonly Config?: { readonly Labels?: Readonly<Record<string, string>> | null };
}

const outputLines = '20';
/** linux/fs.h: _IO(0x12, 119). */
const BLKDISCARD = 0x1277;

/** The engine of this device, by its API. */
export function osEngine(context: CommandContext): OsEngine {
  const { api, ports } = context;
  const inspect = (name: string): Promise<ImageFacts> => api.get<ImageFacts>(`/images/${imagePath(name)}/json`);
  return {
    async load(archive) {
      const answer = await api.stream('POST', '/images/load', { query: { quiet: true }, body: archive, contentType: 'application/x-tar' });
      let said = '';
      await showProgress(ports, jsonLines(answer.body, ports.codec), { isTty: false, write: async (text) => void (said += typeof text === 'string' ? text : ports.codec.decode(text)) }, false);
      const name = /^Loaded image(?: ID)?: (\S+)$/m.exec(said)?.[1];
      if (name === undefined) throw new CliError('the archive holds no image');
      return (await inspect(name)).Id;
    },
    async pull(reference) {
      await pullImage(context, reference, { platform: '', quiet: false, output: ports.stdout });
      return (await inspect(reference)).Id;
    },
    labels: (id) => missingAs(undefined, async () => (await inspect(id)).Config?.Labels ?? {}),
    find: (name) => missingAs(undefined, async () => (await inspect(name)).Id),
    async name(id, name) {
      const { repository, tag } = splitImageName(name);
      await api.post(`/images/${imagePath(id)}/tag`, { query: { repo: repository, tag } });
    },
    async save(id) {
      const { body, close } = await api.stream('GET', `/images/${imagePath(id)}/get`);
      return { read: () => body.read(), close };
    },
    containerName: (id) => missingAs(undefined, async () => (await api.get<{ Name: string }>(`/containers/${id}/json`)).Name.replace(/^\//, '')),
    async remove(id) {
      const names = (await missingAs(undefined, () => inspect(id)))?.RepoTags ?? [];
      for (const name of [...names, id]) await missingAs(undefined, async () => void (await api.delete(`/images/${imagePath(name)}`)));
    },
    async start({ imageId, argv, environment, binds, devices }) {
      const { Id: id } = await api.post<{ Id: string }>('/containers/create', {
        json: {
          Image: imageId, Entrypoint: argv.slice(0, 1), Cmd: argv.slice(1), Env: environment, User: '0:0', WorkingDir: '/',
          HostConfig: {
            NetworkMode: 'none', ReadonlyRootfs: true, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges', `seccomp=${JSON.stringify(refuseIoctl(DEFAULT_PROFILE, BLKDISCARD))}`], Binds: binds,
            Devices: devices.map(({ host, inside }) => ({ PathOnHost: host, PathInContainer: inside, CgroupPermissions: 'rw' })),
          },
        },
      });
      const remove = (): Promise<void> => missingAs(undefined, async () => void (await api.delete(`/containers/${id}`, { force: true, v: true })));
      try {
        await api.post(`/containers/${id}/start`);
      } catch (error) {
        await remove();
        throw error;
      }
      return {
        running: async () => (await api.get<{ State: { Running: boolean } }>(`/containers/${id}/json`)).State.Running,
        async end() {
          const { StatusCode: status } = await api.post<{ StatusCode: number }>(`/containers/${id}/wait`);
          let output = '';
          const logs = await api.stream('GET', `/containers/${id}/logs`, { query: { stdout: true, stderr: true, tail: outputLines } });
          try {
            const pieces = createDemultiplexer(async (_, data) => void (output += ports.codec.decode(data)));
            for (let chunk = await logs.body.read(); chunk !== null; chunk = await logs.body.read()) await pieces.push(chunk);
          } finally {
            logs.close();
          }
          await remove();
          return { status, output };
        },
        abandon: remove,
      };
    },
  };
}

async function missingAs<T>(value: T, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 409)) return value;
    throw error;
  }
}
