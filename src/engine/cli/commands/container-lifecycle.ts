import { ApiError } from '../api/api-client.ts';
import { CliError } from '../cli-error.ts';
import { atLeast, exactly, type Command, type CommandContext } from '../command.ts';
import type { FlagSpec } from '../flags/flag-spec.ts';
import { beginWait } from '../session/container-exit.ts';
import { forEachName, inPath } from './each.ts';

const several = 'CONTAINER [CONTAINER...]';
const signalFlag: FlagSpec = { name: 'signal', short: 's', kind: 'string', help: 'Signal to send', complete: 'signal' };
const timeoutFlag: FlagSpec = { name: 'timeout', short: 't', kind: 'int', help: 'Seconds to wait before killing', also: ['time'] };

/** POST /containers/NAME/<action> for each name. */
function post(action: string, query: (context: CommandContext) => Record<string, string | number | undefined> = () => ({})) {
  return (context: CommandContext) => forEachName(context, async (name) => {
    await context.api.post(`/containers/${inPath(name)}/${action}`, { query: query(context) });
    return name;
  }, { parallel: true });
}

const stopQuery = ({ flags }: CommandContext) => ({ signal: flags.string('signal'), t: flags.int('timeout') ?? undefined });

export const stopCommand: Command = {
  path: ['container', 'stop'], aliases: [['stop']], usage: several, summary: 'Stop one or more running containers',
  flags: [signalFlag, timeoutFlag], args: atLeast(1), completeArgs: 'running', run: post('stop', stopQuery),
};

export const restartCommand: Command = {
  path: ['container', 'restart'], aliases: [['restart']], usage: several, summary: 'Restart one or more containers',
  flags: [signalFlag, timeoutFlag], args: atLeast(1), completeArgs: 'container', run: post('restart', stopQuery),
};

export const killCommand: Command = {
  path: ['container', 'kill'], aliases: [['kill']], usage: several, summary: 'Kill one or more running containers',
  flags: [signalFlag], args: atLeast(1), completeArgs: 'running', run: post('kill', ({ flags }) => ({ signal: flags.string('signal') })),
};

export const pauseCommand: Command = {
  path: ['container', 'pause'], aliases: [['pause']], usage: several, summary: 'Freeze all processes of one or more containers',
  flags: [], args: atLeast(1), completeArgs: 'running', run: post('pause'),
};

export const unpauseCommand: Command = {
  path: ['container', 'unpause'], aliases: [['unpause']], usage: several, summary: 'Let the processes of one or more containers go on',
  flags: [], args: atLeast(1), completeArgs: 'container', run: post('unpause'),
};

export const renameCommand: Command = {
  path: ['container', 'rename'], aliases: [['rename']], usage: 'CONTAINER NEW_NAME', summary: 'Rename a container',
  flags: [], args: exactly(2), completeArgs: 'container',
  async run({ api, args: [name = '', newName = ''] }) {
    if (name.trim() === '' || newName.trim() === '') throw new CliError('Error: Neither old nor new names may be empty');
    await api.post(`/containers/${inPath(name)}/rename`, { query: { name: newName } });
    return 0;
  },
};

export const removeCommand: Command = {
  path: ['container', 'rm'], aliases: [['container', 'remove'], ['rm']], usage: several, summary: 'Remove one or more containers',
  flags: [
    { name: 'force', short: 'f', kind: 'bool', help: 'Kill a running container first; a missing one is no failure' },
    { name: 'link', short: 'l', kind: 'bool', help: 'Remove the link of this name' },
    { name: 'volumes', short: 'v', kind: 'bool', help: 'Remove its anonymous volumes too' },
  ],
  args: atLeast(1), completeArgs: 'container',
  async run(context) {
    const { flags, api } = context;
    const on = (flag: string) => flags.bool(flag) || undefined;
    let failed = false;
    await forEachName(context, async (given) => {
      const name = given.replace(/^\/+|\/+$/g, '');
      if (name === '') throw new CliError('Container name cannot be empty');
      try {
        await api.delete(`/containers/${inPath(name)}`, { force: on('force'), v: on('volumes'), link: on('link') });
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404 && flags.bool('force'))) failed = true;
        throw error;
      }
      return given;
    }, { parallel: true });
    return failed ? 1 : 0;
  },
};

export const waitCommand: Command = {
  path: ['container', 'wait'], aliases: [['wait']], usage: several, summary: 'Wait until one or more containers stop, then print their exit statuses',
  flags: [], args: atLeast(1), completeArgs: 'running',
  run: (context) => forEachName(context, async (name) => {
    const wait = await beginWait(context.api, inPath(name), 'not-running');
    return String(await wait.exitCode);
  }),
};
