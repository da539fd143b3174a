import { CliError } from '../cli-error.ts';
import { atLeast, type Command, type CommandContext } from '../command.ts';
import { parseDetachKeys } from '../session/detach-keys.ts';
import { checkInputTerminal, runAttached } from './container-run.ts';
import { forEachName, inPath } from './each.ts';
import { detachKeysFlag } from './shared-flags.ts';

export interface ContainerDetails {
  readonly Id: string;
  readonly Name: string;
  readonly State: { readonly Running: boolean; readonly Paused: boolean; readonly Restarting: boolean; readonly ExitCode: number };
  readonly Config: { readonly Tty: boolean; readonly OpenStdin: boolean; readonly AttachStdin?: boolean };
  readonly HostConfig: { readonly AutoRemove?: boolean };
}

async function start(context: CommandContext): Promise<number> {
  const { api, flags, args } = context;
  const interactive = flags.bool('interactive');
  if (!flags.bool('attach') && !interactive) {
    const failed = new Set(args);
    await forEachName(context, async (name) => {
      await api.post(`/containers/${inPath(name)}/start`);
      failed.delete(name);
      return name;
    });
    if (failed.size > 0) throw new CliError(`Error: failed to start containers: ${[...failed].join(', ')}`);
    return 0;
  }
  const [name = '', ...others] = args;
  if (others.length > 0) throw new CliError('you cannot start and attach multiple containers at once');
  const detachKeys = parseDetachKeys(flags.string('detach-keys') || context.config.detachKeys);
  const container = await api.get<ContainerDetails>(`/containers/${inPath(name)}/json`);
  const stdin = interactive && container.Config.OpenStdin;
  checkInputTerminal(context, stdin, container.Config.Tty);
  return runAttached(context, container.Id, container.HostConfig.AutoRemove ?? false, detachKeys, {
    Tty: container.Config.Tty, AttachStdin: stdin, AttachStdout: true, AttachStderr: true,
  });
}

export const startCommand: Command = {
  path: ['container', 'start'], aliases: [['start']], usage: 'CONTAINER [CONTAINER...]', summary: 'Start one or more stopped containers',
  flags: [
    { name: 'attach', short: 'a', kind: 'bool', help: 'Show output and hand signals on' },
    detachKeysFlag,
    { name: 'interactive', short: 'i', kind: 'bool', help: "Attach the container's standard input" },
    { name: 'sig-proxy', kind: 'bool', help: 'Hand signals on to the process', default: 'true', hidden: true },
  ],
  args: atLeast(1), completeArgs: 'container', run: start,
};
