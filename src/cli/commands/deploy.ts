import { resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { deploy as deployOnce, deploymentStamp, findCompose, openDevice, readDeployment, type Deployed, type Deployment, type Device } from '../../deploy/index.ts';
import { OsbuildError } from '../../model/index.ts';
import type { Command, Invocation } from '../command.ts';
import { connectDevice, hostOptions } from '../ssh-host.ts';
import { table } from '../table.ts';

const lookMs = 1000;
/** Editors and compilers write several files. */
const quietMs = 300;
const usualPatienceSeconds = 300;

export const deploy: Command = {
  name: 'deploy',
  usage: '[<folder or compose file>] --host [user@]host[:port]',
  summary: 'Build the applications of a compose file on a device and put them in force there, over SSH',
  details:
    '\nWhat has `build` is built by the engine of the device, of the folder that is sent there (.dockerignore counts); what has not changed is not sent again. Only when everything is built the compose file takes its place in /mnt/data/apps, ' +
    'and what has changed is made anew. The compose file is checked before anything is sent.',
  options: {
    host: { type: 'string', value: '[user@]host[:port]', help: 'the device (user root, port 22222)' },
    ...hostOptions,
    watch: { type: 'boolean', short: 'w', help: 'again whenever a file changes, until Ctrl-C' },
    logs: { type: 'boolean', help: 'show what the services put out, until Ctrl-C' },
    pull: { type: 'boolean', help: 'build although nothing changed, of base images that are asked for anew' },
    timeout: { type: 'string', value: 'seconds', help: `how long services may take to get ready (default: ${usualPatienceSeconds})` },
  },
  arguments: { min: 0, max: 1 },
  async run(invocation) {
    const { flags, signal } = invocation;
    const host = flags.text('host');
    if (host === undefined) throw new OsbuildError('OSB_USAGE', 'which device?', { hint: '--host [user@]host[:port]' });
    const patienceMs = Number(flags.text('timeout') ?? usualPatienceSeconds) * 1000;
    if (!(patienceMs >= 0)) throw new OsbuildError('OSB_USAGE', `--timeout ${flags.text('timeout')} is no number of seconds`);
    const file = findCompose(resolve(invocation.cwd, invocation.words[0] ?? '.'));
    // Before anything else: a wrong file needs no device.
    const deployment = readDeployment(file);
    const connection = await connectDevice(invocation, host, 'what ran there still runs: run the same command again');
    try {
      const device = await openDevice(connection, signal);
      const deployed = await deployOnce({ device, deployment, pull: flags.on('pull'), emit: invocation.emit, signal, patienceMs }).then(
        (done) => (show(invocation, device, done), done.status.services),
        // With --watch the next change may put it right.
        (error: unknown) => (flags.on('watch') ? complain(invocation, error) : rethrow(error)),
      );
      const followed = flags.on('logs') ? followLogs(invocation, device) : null;
      followed?.look(deployed ?? []);
      if (flags.on('watch')) await watch(invocation, { device, file, deployment, patienceMs, lost: connection.lost, after: (services) => followed?.look(services) });
      else if (followed !== null) await ended(signal, connection.lost);
      device.unlock();
      return 0;
    } finally {
      connection.close();
    }
  },
};

type Services = Deployed['status']['services'];

function rethrow(error: unknown): never {
  throw error;
}

/** Says what is wrong and goes on, unless there is nothing to go on with. */
function complain({ err }: Invocation, error: unknown): null {
  if (!(error instanceof OsbuildError) || ['OSB_REMOTE_HOST', 'OSB_CANCELLED'].includes(error.code)) throw error;
  err(`osbuild: ${error.message}\n${error.hint === undefined ? '' : `  hint: ${error.hint}\n`}`);
  return null;
}

/** Resolves upon Ctrl-C, rejects when the connection breaks. */
function ended(signal: AbortSignal, lost: Promise<never>): Promise<void> {
  const cancelled = new Promise<void>((stop) => (signal.aborted ? stop() : signal.addEventListener('abort', () => stop(), { once: true })));
  return Promise.race([cancelled, lost]);
}

function show({ flags, out }: Invocation, device: Device, { built, status }: Deployed): void {
  if (flags.on('json')) {
    out(`${JSON.stringify({ type: 'deployed', host: device.name, built, project: status.project, services: status.services })}\n`);
    return;
  }
  const rows = status.services.map(({ name, state, image, containers }) => [name, state, built.includes(name) ? 'built' : '', image, containers.map((container) => container.name).join(', ')]);
  out(rows.length === 0 ? `${device.name} has no services to run.\n` : table(['SERVICE', 'STATE', '', 'IMAGE', 'CONTAINERS'], rows));
}

interface Watched {
  device: Device;
  file: string;
  deployment: Deployment;
  patienceMs: number;
  lost: Promise<never>;
  after(services: Services): void;
}

async function watch(invocation: Invocation, { device, file, deployment: first, patienceMs, lost, after }: Watched): Promise<void> {
  const { signal, err, emit } = invocation;
  let deployment: Deployment | null = first;
  let seen = deploymentStamp(file, deployment);
  err(`Watching ${first.folder}; Ctrl-C ends it.\n`);
  const pause = (ms: number): Promise<unknown> => Promise.race([setTimeout(ms, undefined, { signal }).catch(() => undefined), lost]);
  while (!signal.aborted) {
    await pause(lookMs);
    let now = deploymentStamp(file, deployment);
    if (now === seen || signal.aborted) continue;
    for (let before = ''; before !== now && !signal.aborted; now = deploymentStamp(file, deployment)) {
      before = now;
      await pause(quietMs);
    }
    seen = now;
    try {
      deployment = readDeployment(file);
      // What changes from here on is for the next round.
      seen = deploymentStamp(file, deployment);
      const done = await deployOnce({ device, deployment, pull: false, emit, signal, patienceMs });
      show(invocation, device, done);
      after(done.status.services);
    } catch (error) {
      if (!signal.aborted) complain(invocation, error);
    }
  }
}

interface Followed {
  look(services: Services): void;
}

/** Follows every container once; one that ended and runs again is gone on with where it was left. */
function followLogs({ out, signal }: Invocation, device: Device): Followed {
  const names = new Map<string, string>();
  const follow = async (id: string, name: string): Promise<void> => {
    for (let since = ''; !signal.aborted && names.has(id); ) {
      since = await device.follow(id, since, (line) => out(`${name} | ${line}\n`));
      await setTimeout(lookMs, undefined, { signal });
    }
  };
  return {
    look(services) {
      const now = new Map(services.flatMap(({ containers }) => containers.map(({ id, name }) => [id, name] as const)));
      for (const id of names.keys()) if (!now.has(id)) names.delete(id);
      for (const [id, name] of now) {
        if (names.has(id)) continue;
        names.set(id, name);
        // The connection's own end is told by whoever waits for it.
        void follow(id, name).catch(() => undefined);
      }
    },
  };
}
