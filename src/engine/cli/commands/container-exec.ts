import { ApiError } from '../api/api-client.ts';
import { CliError } from '../cli-error.ts';
import { atLeast, type Command, type CommandContext } from '../command.ts';
import { parseKeyValueFile, resolveEnvironment } from '../create/environment.ts';
import { parseDetachKeys } from '../session/detach-keys.ts';
import { runStreamSession } from '../session/stream-session.ts';
import { followTerminalSize } from '../session/terminal-size.ts';
import { readNamedFile } from './container-create.ts';
import { checkInputTerminal, startFailureCode } from './container-run.ts';
import { inPath } from './each.ts';
import { detachKeysFlag } from './shared-flags.ts';

async function exec(context: CommandContext): Promise<number> {
  const { api, flags, ports } = context;
  const [name = '', ...command] = context.args;
  const detach = flags.bool('detach');
  const tty = flags.bool('tty');
  const stdin = flags.bool('interactive') && !detach;
  const detachKeys = parseDetachKeys(flags.string('detach-keys') || context.config.detachKeys);
  const fileLines = flags.list('env-file').flatMap((path) => parseKeyValueFile(path, readNamedFile(context, path)));
  checkInputTerminal(context, stdin, tty);
  const size = tty && ports.stdout.isTty ? ports.terminal.size() : null;
  const consoleSize = size ? { ConsoleSize: [size.rows, size.columns] } : {};
  try {
    const { Id: execId } = await api.post<{ Id: string }>(`/containers/${inPath(name)}/exec`, {
      json: {
        User: flags.string('user'), Privileged: flags.bool('privileged'), Tty: tty, ...consoleSize,
        AttachStdin: stdin, AttachStderr: !detach, AttachStdout: !detach, Detach: detach, DetachKeys: flags.string('detach-keys'),
        Env: resolveEnvironment(fileLines, flags.list('env'), ports.process.environment()), WorkingDir: flags.string('workdir'), Cmd: command,
      },
    });
    if (detach) {
      await api.post(`/exec/${execId}/start`, { json: { Detach: true, Tty: tty } });
      return 0;
    }
    const connection = await api.hijack(`/exec/${execId}/start`, { json: { Detach: false, Tty: tty, ...consoleSize } });
    const stopResizing = tty && ports.stdout.isTty ? followTerminalSize(ports, api, `/exec/${execId}/resize`) : () => undefined;
    try {
      const end = await runStreamSession(ports, connection, { tty, stdin, stdout: true, stderr: !tty, detachKeys });
      if (end === 'detached') return 0;
    } finally {
      stopResizing();
    }
    return await exitCodeOf(context, execId);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status === 404 || error.status === 409) throw error;
    const code = startFailureCode(error.reason);
    throw code === 125 ? error : new CliError(error.message, code, { cause: error });
  }
}

const exitPollMs = 25;
const exitPolls = 40;

/** The output may end a moment before the daemon has seen the process end. */
async function exitCodeOf(context: CommandContext, execId: string): Promise<number> {
  for (let left = exitPolls; ; left--) {
    const state = await context.api.get<{ Running: boolean; ExitCode: number | null }>(`/exec/${execId}/json`);
    if (!state.Running || left === 0) return state.ExitCode ?? 0;
    await context.ports.clock.sleep(exitPollMs);
  }
}

export const execCommand: Command = {
  path: ['container', 'exec'], aliases: [['exec']], usage: 'CONTAINER COMMAND [ARG...]', summary: 'Execute a command in a running container', common: true,
  flags: [
    { name: 'detach', short: 'd', kind: 'bool', help: 'Run in the background' },
    detachKeysFlag,
    { name: 'env', short: 'e', kind: 'list', help: 'Set an environment variable (NAME=VALUE, or NAME to pass ours on)' },
    { name: 'env-file', kind: 'list', help: 'Read environment variables from a file', complete: 'file' },
    { name: 'interactive', short: 'i', kind: 'bool', help: 'Attach standard input' },
    { name: 'privileged', kind: 'bool', help: 'Give the command all privileges' },
    { name: 'tty', short: 't', kind: 'bool', help: 'Give the command a terminal' },
    { name: 'user', short: 'u', kind: 'string', help: 'User to run as (name|uid[:group|gid])' },
    { name: 'workdir', short: 'w', kind: 'string', help: 'Working directory in the container' },
  ],
  args: atLeast(2), interspersed: false, completeArgs: 'running', run: exec,
};
