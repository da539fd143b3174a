import { createExec, createFields, execFolder, findExec, startExec } from '../containers/index.ts';
import { EngineError } from '../error.ts';
import { createCancellation } from '../ports/index.ts';
import { terminalSize } from './containers.ts';
import type { ApiContext } from './context.ts';
import { param, readJson, sendEmpty, sendJson, type ApiRequest } from './request.ts';
import { streamType } from './streams.ts';

export async function create({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const container = containers.collection.find(param(request, 'id'));
  const fields = createFields(await readJson(request), 'exec');
  const id = createExec(containers, container, {
    tty: fields.flag('Tty'),
    stdin: fields.flag('AttachStdin'),
    stdout: fields.flag('AttachStdout'),
    stderr: fields.flag('AttachStderr'),
    privileged: fields.flag('Privileged'),
    user: fields.text('User'),
    workingDir: fields.text('WorkingDir'),
    env: fields.texts('Env') ?? [],
    argv: fields.texts('Cmd') ?? [],
    detachKeys: fields.text('DetachKeys'),
  });
  await sendJson(request, 201, { Id: id });
}

export async function start({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const { exchange } = request;
  const id = param(request, 'id');
  const fields = createFields((await readJson(request)) ?? {}, 'exec');
  const { session } = findExec(containers, id);
  // Whether the answer is framed is said here, whatever the exec was created with.
  const raw = fields.flag('Tty');
  if (fields.flag('Detach')) {
    await startExec(containers, id, createCancellation(), raw);
    await sendEmpty(request, 200);
    return;
  }
  const size = fields.raw('ConsoleSize');
  const open = async (): ReturnType<typeof exchange.hijack> => {
    if (session.config.tty && Array.isArray(size) && typeof size[0] === 'number' && typeof size[1] === 'number') {
      containers.runtime.resize(execFolder(containers, session), size[0], size[1]);
    }
    return exchange.hijack(streamType(request, raw));
  };
  try {
    await startExec(containers, id, exchange.gone, raw, open);
  } catch (error) {
    // Once the connection has left HTTP there is no status to send: the exit code says it, as with Docker.
    if (!exchange.answered) throw error;
    containers.system.reporter.log('debug', 'an exec failed', { exec: id, error: String(error) });
  }
}

export async function resize({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const { session } = findExec(containers, param(request, 'id'));
  const { rows, columns } = terminalSize(request);
  if (session.status !== 'running') throw new EngineError('conflict', 'EXEC_NOT_RUNNING', `exec ${session.id} is not running`);
  if (session.config.tty) containers.runtime.resize(execFolder(containers, session), rows, columns);
  await sendEmpty(request, 200);
}

export async function inspect({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const { session } = findExec(containers, param(request, 'id'));
  const { config } = session;
  await sendJson(request, 200, {
    ID: session.id,
    Running: session.status === 'running',
    ExitCode: session.exitCode,
    ProcessConfig: { tty: config.tty, entrypoint: config.argv[0] ?? '', arguments: config.argv.slice(1), privileged: config.privileged, user: config.user },
    OpenStdin: config.stdin,
    OpenStderr: config.stderr,
    OpenStdout: config.stdout,
    CanRemove: session.status === 'ended',
    ContainerID: session.containerId,
    DetachKeys: config.detachKeys,
    Pid: session.pid,
  });
}
