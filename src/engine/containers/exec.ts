import { EngineError, messageOf } from '../error.ts';
import type { Cancellation } from '../ports/index.ts';
import { pumpAttach, type AttachClient, type AttachStreams } from './attach.ts';
import { containerCapabilities } from './capabilities.ts';
import type { Container } from './collection.ts';
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from './detach-keys.ts';
import { bundleFolder, emit, type ContainerContext, type ExecConfig, type ExecSession } from './context.ts';
import { linkVariables } from './links.ts';
import { isLive } from './record.ts';
import { containerProcess } from './spec.ts';
import { userOf } from './users.ts';

/** Ended sessions stay until there are this many in a container: clients ask for the exit code after the end. */
const KEPT_SESSIONS = 64;
const EXIT_UNKNOWN = 137;

export function createExec(context: ContainerContext, container: Container, config: ExecConfig): string {
  const { state } = container.record;
  if (!isLive(state)) throw new EngineError('conflict', 'NOT_RUNNING', `container ${container.id} is not running`);
  if (state.status === 'paused') throw new EngineError('conflict', 'PAUSED', `container ${container.id} is paused, unpause the container before exec`);
  if (config.argv.length === 0) throw new EngineError('invalid', 'NO_COMMAND', 'No exec command specified');
  const session: ExecSession = { id: context.system.machine.randomHex(32), containerId: container.id, config, status: 'created', pid: 0, exitCode: null };
  context.execs.set(session.id, session);
  container.execIds.add(session.id);
  for (const id of container.execIds) {
    if (container.execIds.size <= KEPT_SESSIONS) break;
    if (context.execs.get(id)?.status !== 'ended') continue;
    container.execIds.delete(id);
    context.execs.delete(id);
  }
  emit(context, container, `exec_create: ${config.argv.join(' ')}`, { execID: session.id });
  return session.id;
}

export function findExec(context: ContainerContext, id: string): { session: ExecSession; container: Container } {
  const session = context.execs.get(id);
  if (session === undefined) throw new EngineError('not-found', 'EXEC_UNKNOWN', `No such exec instance: ${id}`);
  return { session, container: context.collection.find(session.containerId) };
}

export function execFolder(context: ContainerContext, session: ExecSession): string {
  return `${bundleFolder(context, session.containerId)}/exec-${session.id.slice(0, 16)}`;
}

/**
 * Runs the process. `openClient` is called when its streams can be carried, before it starts; without one it runs detached. Resolves when
 * the process is running (detached) or has ended.
 * `raw`: the client gets the output as it is, otherwise in frames.
 */
export async function startExec(context: ContainerContext, id: string, gone: Cancellation, raw: boolean, openClient?: () => Promise<AttachClient>): Promise<void> {
  const { session, container } = findExec(context, id);
  const { config } = session;
  if (session.status !== 'created') throw new EngineError('conflict', 'EXEC_STARTED', `exec ${id} has already run`);
  if (!isLive(container.record.state)) throw new EngineError('conflict', 'NOT_RUNNING', `container ${container.id} is not running`);
  const detachKeys = parseDetachKeys(config.detachKeys === '' ? DEFAULT_DETACH_KEYS : config.detachKeys);
  session.status = 'running';
  const folder = execFolder(context, session);
  const { files, processes } = context.system;
  let pumped: Promise<unknown> | undefined;
  let settle: () => void = () => undefined;
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });
  try {
    files.mkdirs(folder, 0o700);
    files.mkdirs(`${folder}/exits`, 0o700);
    writeProcess(context, container, session, `${folder}/process.json`);
    const { pid, conmonPid } = await context.runtime.exec(
      {
        containerId: container.id,
        name: container.record.name,
        directory: folder,
        exitDirectory: `${folder}/exits`,
        logPath: undefined,
        logLimitBytes: undefined,
        tty: config.tty,
        stdin: config.stdin,
        keepStdin: false,
        exec: { processFile: `${folder}/process.json`, attach: openClient !== undefined },
      },
      async () => {
        if (openClient === undefined) return;
        const connection = await context.runtime.attach(folder);
        const streams: AttachStreams = { stdin: config.stdin, stdout: config.stdout || raw, stderr: config.stderr || raw, raw, detachKeys: config.tty ? detachKeys : new Uint8Array(0) };
        pumped = pumpAttach(context.system.clock, connection, await openClient(), streams, gone, settled);
      },
    );
    session.pid = pid;
    emit(context, container, `exec_start: ${config.argv.join(' ')}`, { execID: id });
    const ended = processes.watch(conmonPid).ended.then(() => finishExec(context, container, session)).finally(settle);
    if (openClient !== undefined) await Promise.all([pumped, ended]);
    else ended.catch((error: unknown) => context.system.reporter.log('warn', 'cleaning up after an exec failed', { error: messageOf(error) }));
  } catch (error) {
    session.status = 'ended';
    session.exitCode = error instanceof EngineError && error.code === 'COMMAND_NOT_FOUND' ? 127 : 126;
    settle();
    await files.removeTree(folder);
    await pumped;
    throw error;
  }
}

async function finishExec(context: ContainerContext, container: Container, session: ExecSession): Promise<void> {
  const folder = execFolder(context, session);
  let code = EXIT_UNKNOWN;
  try {
    code = Number(context.system.files.readText(`${folder}/exits/${container.id}`).trim());
  } catch {
    // conmon was killed, or the container went with all of its folder.
  }
  session.status = 'ended';
  session.pid = 0;
  session.exitCode = code;
  emit(context, container, 'exec_die', { execID: session.id, exitCode: String(code) });
  await context.system.files.removeTree(folder);
}

function writeProcess(context: ContainerContext, container: Container, session: ExecSession, path: string): void {
  const { record } = container;
  const { config } = session;
  const { files, machine } = context.system;
  const root = files.openRoot(`/proc/${record.state.pid}/root`);
  try {
    const user = userOf(root, config.user === '' ? record.config.User : config.user, config.user === '' ? (record.hostConfig.GroupAdd ?? []) : []);
    const capabilities = containerCapabilities(config.privileged || record.hostConfig.Privileged, record.hostConfig.CapAdd ?? [], record.hostConfig.CapDrop ?? [], context.capabilities);
    const hostname = record.config.Hostname === '' ? machine.hostname() : record.config.Hostname;
    const own = { ...record, argv: config.argv, config: { ...record.config, Tty: config.tty, Env: [...record.config.Env, ...config.env], WorkingDir: config.workingDir === '' ? record.config.WorkingDir : config.workingDir } };
    const noNewPrivileges = (record.hostConfig.SecurityOpt ?? []).some((option) => option === 'no-new-privileges' || /^no-new-privileges[=:]true$/.test(option));
    files.writeText(path, JSON.stringify(containerProcess({ record: own, user, capabilities, hostname, variables: linkVariables(context, record) }, noNewPrivileges)), 0o600);
  } finally {
    root.close();
  }
}
