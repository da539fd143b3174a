import { CliError } from '../cli-error.ts';
import { exactly, type Command, type CommandContext } from '../command.ts';
import { beginWait } from '../session/container-exit.ts';
import { parseDetachKeys } from '../session/detach-keys.ts';
import { noSignalProxy, proxySignals } from '../session/signal-proxy.ts';
import { runStreamSession } from '../session/stream-session.ts';
import { followTerminalSize } from '../session/terminal-size.ts';
import { checkInputTerminal } from './container-run.ts';
import type { ContainerDetails } from './container-start.ts';
import { inPath } from './each.ts';
import { detachKeysFlag } from './shared-flags.ts';

async function attach(context: CommandContext): Promise<number> {
  const { api, flags, ports } = context;
  const container = await api.get<ContainerDetails>(`/containers/${inPath(context.args[0] ?? '')}/json`);
  if (!container.State.Running) throw new CliError('You cannot attach to a stopped container, start it first');
  if (container.State.Paused) throw new CliError('You cannot attach to a paused container, unpause it first');
  if (container.State.Restarting) throw new CliError('You cannot attach to a restarting container, wait until it is running');
  const tty = container.Config.Tty;
  const stdin = !flags.bool('no-stdin') && container.Config.OpenStdin;
  checkInputTerminal(context, stdin, tty);
  const detachKeys = parseDetachKeys(flags.string('detach-keys') || context.config.detachKeys);
  const proxy = flags.bool('sig-proxy') && !tty ? proxySignals(ports, api, container.Id) : noSignalProxy;
  let stopResizing = () => undefined as void;
  try {
    const wait = await beginWait(api, container.Id, 'not-running');
    const connection = await api.hijack(`/containers/${container.Id}/attach`, {
      query: { stream: true, stdin: stdin || undefined, stdout: true, stderr: true, detachKeys: flags.string('detach-keys') },
    });
    if (tty && ports.stdout.isTty) stopResizing = followTerminalSize(ports, api, `/containers/${container.Id}/resize`);
    const session = runStreamSession(ports, connection, { tty, stdin, stdout: true, stderr: true, detachKeys });
    if ((await Promise.race([session, proxy.forced])) === 'detached') {
      wait.cancel();
      throw new CliError('read escape sequence');
    }
    return await Promise.race([wait.exitCode, proxy.forced]);
  } finally {
    stopResizing();
    proxy.stop();
  }
}

export const attachCommand: Command = {
  path: ['container', 'attach'], aliases: [['attach']], usage: 'CONTAINER', summary: 'Join our standard streams to those of a running container',
  flags: [
    detachKeysFlag,
    { name: 'no-stdin', kind: 'bool', help: 'Do not attach standard input' },
    { name: 'sig-proxy', kind: 'bool', help: 'Hand signals on to the process', default: 'true' },
  ],
  args: exactly(1), completeArgs: 'running', run: attach,
};
