import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

import type { ApplicationsStatus } from '../engine/compose/status.ts';
import { shellLine } from '../exec/index.ts';
import { OsbuildError } from '../model/index.ts';
import { runThere, type HostConnection, type RanThere } from '../remote/index.ts';
import type { Build } from './compose.ts';
import type { Context } from './context.ts';
import { contextTag, unusedImages } from './names.ts';
import { placeCommand } from './place.ts';

/** A device that is deployed to: its engine and its keeper of applications, through their command line over SSH. */
export interface Device {
  name: string;
  /** Names of images of deploys → ids. */
  images(): Promise<Map<string, string>>;
  /** Builds an image; its id. Throws OSB_TASK_FAILED with the step and its output, OSB_DISK_FULL. */
  build(build: Build, context: Context, options: { pull: boolean; step(done: number, total: number, text: string): void }): Promise<string>;
  /** Gives an image the name that the compose file has for it. */
  tag(id: string, name: string): Promise<void>;
  /** Puts the compose file and what goes beside it in place; what has changed beside it. */
  place(archive: AsyncGenerator<Uint8Array>): Promise<{ changed: string[]; kept: string | null }>;
  /** Asks the keeper to look at once; or only what it says. */
  status(how?: 'apply'): Promise<ApplicationsStatus>;
  restart(services: readonly string[]): Promise<void>;
  /** Last lines of a container. */
  lastLines(container: string, lines: number): Promise<string>;
  /** Removes images of deploys but these. */
  tidy(keep: ReadonlySet<string>): Promise<void>;
  /** Hands over what a container puts out, from a time on, until it ends; the time of the last line. */
  follow(container: string, since: string, line: (text: string) => void): Promise<string>;
  unlock(): void;
}

const lockFile = '/run/osbuild-deploy.lock';

/** Takes the device for this deploy. Throws OSB_REMOTE_HOST: another deploy is under way there, or it is no device of ours. */
export async function openDevice(connection: HostConnection, signal: AbortSignal): Promise<Device> {
  const there = (words: readonly string[]): Promise<RanThere> => runThere(connection, shellLine(words), signal);
  const done = async (words: readonly string[], what: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await there(words);
    if (exitCode !== 0) throw failed(`${connection.name}: ${what}`, stderr || stdout);
    return stdout;
  };
  const unlock = await lock(connection);
  const images = async (): Promise<Map<string, string>> => {
    const lines = await done(['minke', 'images', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}', '--filter', 'reference=osbuild-deploy/*'], 'its images cannot be listed');
    return new Map(lines.split('\n').flatMap((line): [string, string][] => {
      const [name = '', id] = line.trim().split(' ');
      return id === undefined ? [] : [[name, id]];
    }));
  };
  return {
    name: connection.name,
    unlock,
    images,
    async build(build, context, { pull, step }) {
      await buildThere(connection, signal, build, context, pull, step);
      return (await done(['minke', 'image', 'inspect', '--format', '{{.Id}}', contextTag(build.service, context.digest)], 'the image is not there')).trim();
    },
    tag: async (id, name) => void (await done(['minke', 'tag', id, name], 'the image cannot be named')),
    async place(archive) {
      const { exitCode, stdout, stderr } = await runThere(connection, placeCommand, signal, { send: packed(archive) });
      const say = (word: string): string[] => stdout.split('\n').flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []));
      const [before] = say('before');
      if (before !== undefined) throw new OsbuildError('OSB_REMOTE_HOST', `${connection.name} takes ${before}, which comes before /mnt/data/apps`, { hint: `take it away there: mount -o remount,rw /mnt/boot && rm ${before}; mount -o remount,ro /mnt/boot` });
      if (exitCode !== 0) throw failed(`the compose file could not be put onto ${connection.name}`, stderr);
      return { changed: say('changed'), kept: say('kept')[0] ?? null };
    },
    async status(how) {
      const { stdout, stderr } = await there(['minke', 'os', 'applications', how ?? 'status', '--format', 'json']);
      try {
        return JSON.parse(stdout) as ApplicationsStatus;
      } catch (cause) {
        throw failed(`${connection.name} does not keep applications`, stderr, cause);
      }
    },
    // It ends with 1 while something is wrong; what is wrong is asked for later.
    restart: async (services) => void (await there(['minke', 'os', 'applications', 'restart', ...services])),
    async lastLines(container, lines) {
      const { stdout, stderr } = await there(['minke', 'logs', '--tail', String(lines), container]);
      return `${stdout}${stderr}`.trimEnd();
    },
    async tidy(keep) {
      const unused = unusedImages([...(await images()).keys()], keep);
      // Of containers that are on their way out: the next deploy removes them.
      if (unused.length > 0) await there(['minke', 'rmi', ...unused]);
    },
    async follow(container, since, line) {
      const channel = await connection.start(shellLine(['minke', 'logs', '--follow', '--timestamps', ...(since === '' ? ['--tail', '20'] : ['--since', since]), container]));
      const cancel = (): void => channel.close();
      signal.addEventListener('abort', cancel, { once: true });
      let last = since;
      const take = (text: string): void => {
        const blank = text.indexOf(' ');
        const time = text.slice(0, blank);
        // Lines of one moment have one time: only what was shown before this is passed over.
        if (blank < 0 || time <= since) return;
        last = time;
        line(text.slice(blank + 1));
      };
      const readers = [channel.output, channel.errors].map((input) => createInterface({ input }).on('line', take));
      channel.input.end();
      try {
        await Promise.race([channel.ended, connection.lost]);
      } finally {
        signal.removeEventListener('abort', cancel);
        for (const reader of readers) reader.close();
      }
      return last;
    },
  };
}

/** Held as long as the connection is. */
async function lock(connection: HostConnection): Promise<() => void> {
  const channel = await connection.start(shellLine(['flock', '--timeout', '10', '--conflict-exit-code', '75', lockFile, 'sh', '-c', 'echo locked; cat >/dev/null']));
  let said = '';
  channel.errors.on('data', (bytes: Buffer) => (said += bytes.toString()));
  const locked = new Promise<true>((resolve) => channel.output.once('data', () => resolve(true)));
  const outcome = await Promise.race([locked, channel.ended, connection.lost]);
  if (outcome === true) return () => channel.input.end();
  if (outcome === 75) throw new OsbuildError('OSB_REMOTE_HOST', `another deploy to ${connection.name} is under way`, { hint: 'wait for it, or end it: osbuild deploy --watch holds a device until it is stopped' });
  throw failed(`${connection.name} cannot be deployed to`, said);
}

/** For `send` of runThere. */
const packed = (bytes: AsyncGenerator<Uint8Array>) => (input: Writable): Promise<void> => pipeline(bytes, createGzip({ level: 3 }), input);

async function buildThere(connection: HostConnection, signal: AbortSignal, build: Build, context: Context, pull: boolean, step: (done: number, total: number, text: string) => void): Promise<void> {
  const pairs = (option: string, values: Record<string, string>): string[] => Object.entries(values).flatMap(([name, value]) => [option, `${name}=${value}`]);
  const words = [
    'minke', 'build', '--tag', contextTag(build.service, context.digest), '--file', context.dockerfile, ...pairs('--build-arg', build.args), ...pairs('--label', build.labels),
    ...(build.target === '' ? [] : ['--target', build.target]), ...(build.network === '' ? [] : ['--network', build.network]), ...(build.platform === '' ? [] : ['--platform', build.platform]),
    ...(build.noCache ? ['--no-cache'] : []), ...(pull || build.pull ? ['--pull'] : []), '-',
  ];
  let seen = 0;
  const { exitCode, stdout, stderr } = await runThere(connection, shellLine(words), signal, {
    send: packed(context.archive()),
    output(text) {
      const steps = [...text.slice(seen).matchAll(/^Step (\d+)\/(\d+) : (.*)\n/gm)];
      for (const [, number, total, what] of steps) step(Number(number) - 1, Number(total), what ?? '');
      seen = text.lastIndexOf('\n') + 1;
    },
  });
  if (exitCode === 0) return;
  const last = stdout.lastIndexOf('\nStep ') + 1;
  const output = `${stdout.slice(last)}${stderr}`.trim();
  throw failed(`the image of ${build.service} could not be built`, output.split('\n').slice(-40).join('\n'));
}

function failed(what: string, why: string, cause?: unknown): OsbuildError {
  const full = /no space left on device|ENOSPC|disk quota exceeded/i.test(why);
  if (full) return new OsbuildError('OSB_DISK_FULL', `${what}: its disk is full: ${why.trim()}`, { hint: '`minke system df` there shows what takes the room, `minke system prune` frees some; what ran before still runs', cause });
  const alien = /minke: (command )?not found|flock: (command )?not found/.test(why);
  return new OsbuildError(alien ? 'OSB_REMOTE_HOST' : 'OSB_TASK_FAILED', `${what}: ${why.trim()}`, { hint: alien ? 'it takes a device that runs Minke OS' : 'what ran before still runs', cause });
}
