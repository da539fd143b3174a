import { ApiError } from '../api/api-client.ts';
import { CliError, PlainError } from '../cli-error.ts';
import { atLeast, type Command, type CommandContext } from '../command.ts';
import { createFlags } from '../create/create-flags.ts';
import { beginWait } from '../session/container-exit.ts';
import { parseDetachKeys } from '../session/detach-keys.ts';
import { noSignalProxy, proxySignals } from '../session/signal-proxy.ts';
import { runStreamSession } from '../session/stream-session.ts';
import { followTerminalSize } from '../session/terminal-size.ts';
import { createContainer, createRequest } from './container-create.ts';
import { detachKeysFlag } from './shared-flags.ts';

const removalGraceMs = 10_000;

/** Exit status for a container that did not start: 127 no such command, 126 not executable, 125 anything else. */
export function startFailureCode(message: string): number {
  if (/executable file not found|no such file or directory|system cannot find the file specified/i.test(message)) return 127;
  if (/permission denied|is a directory|operation not permitted/i.test(message)) return 126;
  return 125;
}

export async function startContainer(context: CommandContext, id: string): Promise<void> {
  try {
    await context.api.post(`/containers/${id}/start`);
  } catch (error) {
    if (error instanceof ApiError) throw new CliError(error.message, startFailureCode(error.reason), { cause: error });
    throw error;
  }
}

export function checkInputTerminal(context: CommandContext, attachStdin: boolean, tty: boolean): void {
  if (attachStdin && tty && !context.ports.stdin.isTty) throw new PlainError('the input device is not a TTY');
}

async function run(context: CommandContext): Promise<number> {
  const { flags } = context;
  if (flags.bool('detach') && flags.given('attach')) throw new PlainError('conflicting options: cannot specify both --attach and --detach');
  const detachKeys = parseDetachKeys(flags.string('detach-keys') || context.config.detachKeys);
  const request = createRequest(context);
  checkInputTerminal(context, request.AttachStdin, request.Tty);
  const { id } = await createContainer(context, request);
  if (flags.bool('detach')) {
    await startContainer(context, id);
    await context.print(`${id}\n`);
    return 0;
  }
  return runAttached(context, id, request.HostConfig.AutoRemove, detachKeys, request);
}

interface Attachment {
  readonly Tty: boolean;
  readonly AttachStdin: boolean;
  readonly AttachStdout: boolean;
  readonly AttachStderr: boolean;
}

/** Attaches and waits first and starts then, so that neither output nor exit status can be missed. */
export async function runAttached(context: CommandContext, id: string, autoRemove: boolean, detachKeys: Uint8Array, attachment: Attachment): Promise<number> {
  const { api, ports, flags } = context;
  const { Tty: tty, AttachStdin: stdin, AttachStdout: stdout, AttachStderr: stderr } = attachment;
  const proxy = flags.bool('sig-proxy') ? proxySignals(ports, api, id) : noSignalProxy;
  let stopResizing = () => undefined as void;
  try {
    const connection = stdin || stdout || stderr
      ? await api.hijack(`/containers/${id}/attach`, { query: { stream: true, stdin: stdin || undefined, stdout: stdout || undefined, stderr: stderr || undefined, detachKeys: flags.string('detach-keys') } })
      : null;
    const wait = await beginWait(api, id, autoRemove ? 'removed' : 'next-exit');
    const session = connection ? runStreamSession(ports, connection, { tty, stdin, stdout, stderr, detachKeys }) : Promise.resolve('ended' as const);
    session.catch(() => undefined);
    try {
      await startContainer(context, id);
    } catch (error) {
      connection?.close();
      await session.catch(() => undefined);
      if (autoRemove) await Promise.race([wait.exitCode.catch(() => 0), ports.clock.sleep(removalGraceMs)]);
      throw error;
    }
    if (tty && ports.stdout.isTty) stopResizing = followTerminalSize(ports, api, `/containers/${id}/resize`);
    if (!connection) await context.print(`${id}\n`);
    if ((await Promise.race([session, proxy.forced])) === 'detached') {
      wait.cancel();
      return 0;
    }
    return await Promise.race([wait.exitCode, proxy.forced]);
  } finally {
    stopResizing();
    proxy.stop();
  }
}

export const runCommand: Command = {
  path: ['container', 'run'], aliases: [['run']], usage: 'IMAGE [COMMAND] [ARG...]', summary: 'Create and run a new container from an image', common: true,
  details: "The exit status is the container's own; 125 when the daemon refuses, 126 when the command cannot be executed, 127 when it is not found.",
  flags: [
    ...createFlags,
    { name: 'detach', short: 'd', kind: 'bool', help: 'Run in the background and print the container ID' },
    detachKeysFlag,
    { name: 'sig-proxy', kind: 'bool', help: 'Hand signals on to the process', default: 'true' },
  ],
  args: atLeast(1), interspersed: false, failureCode: 125, completeArgs: 'image', run,
};
