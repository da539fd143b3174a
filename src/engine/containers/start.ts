import { EngineError, messageOf } from '../error.ts';
import { raiseLoopback } from '../network/index.ts';
import type { Root } from '../ports/index.ts';
import { connectAttachments, leaseAttachments, releaseAttachments } from './attachments.ts';
import { containerCapabilities } from './capabilities.ts';
import type { Container } from './collection.ts';
import { bundleFolder, emit, nowIso, type ContainerContext } from './context.ts';
import { resolveDevices } from './devices.ts';
import { etcFiles, hostnameOf, writeEtc } from './etc-files.ts';
import { watchHealth } from './health-monitor.ts';
import { noteLent } from './lent.ts';
import { linkVariables } from './links.ts';
import { logLimits, logPath } from './log-files.ts';
import { isLive } from './record.ts';
import { containerSpec } from './spec.ts';
import { openSubpaths } from './subpaths.ts';
import { userOf, type ResolvedUser } from './users.ts';
import { watchContainer } from './watch.ts';

/** Starts a container that does not run. Resolves when its first process does. */
export function startContainer(context: ContainerContext, container: Container, automatic = false): Promise<void> {
  return container.queue(async () => {
    const { state } = container.record;
    if (isLive(state)) throw new EngineError('not-modified', 'ALREADY_RUNNING', 'container is already running');
    if (state.status === 'removing' || state.status === 'dead') throw new EngineError('conflict', 'REMOVING', 'container is marked for removal and cannot be started');
    container.cancelRestart?.();
    container.cancelRestart = undefined;
    delete state.endedWithSystem;
    if (!automatic) {
      state.restartCount = 0;
      state.stoppedByUser = false;
    }
    try {
      await launch(context, container);
    } catch (error) {
      await abandon(context, container, error);
      throw error;
    }
    emit(context, container, 'start');
  });
}

async function launch(context: ContainerContext, container: Container): Promise<void> {
  const { runtime, rootfs, system, collection } = context;
  const { id, record } = container;
  const bundle = bundleFolder(context, id);
  await runtime.remove(id);
  await system.files.removeTree(bundle);
  await system.files.removeTree(`${context.paths.exits}/${id}`);
  system.files.mkdirs(bundle, 0o700);

  const rootfsPath = rootfs.mount(id, record.diffIds);
  findLateNetworks(context, container);
  leaseAttachments(context, container);
  const subpaths = openSubpaths(system.files, bundle, record.mounts);
  try {
    writeSpec(context, container, rootfsPath, subpaths.sources);
  } catch (error) {
    subpaths.close();
    throw error;
  }

  const limits = logLimits(record.hostConfig.LogConfig);
  const { pid, conmonPid } = await runtime.create({
    containerId: id,
    name: record.name,
    directory: bundle,
    exitDirectory: context.paths.exits,
    logPath: record.hostConfig.LogConfig.Type === 'none' ? undefined : logPath(context, id),
    // With one file conmon itself begins anew; several are the daemon's work.
    logLimitBytes: limits.files === 1 ? limits.sizeBytes : undefined,
    tty: record.config.Tty,
    stdin: record.config.OpenStdin,
    // A terminal outlives the client that detaches from it, as in Docker.
    keepStdin: !record.config.StdinOnce || record.config.Tty,
    exec: undefined,
  }).finally(() => subpaths.close());
  if (record.endpoint.network === 'none') raiseLoopback(system.netlink, pid);
  await connectAttachments(context, container, pid);
  for (const pending of container.pendingAttach) {
    container.pendingAttach.delete(pending);
    pending.connected(await runtime.attach(bundle));
  }
  noteLent(context, container);
  await runtime.start(id);
  const { state } = record;
  Object.assign(state, { status: 'running', pid, conmonPid, exitCode: 0, oomKilled: false, error: '', startedAt: nowIso(context) });
  watchContainer(context, container);
  watchHealth(context, container, 'start');
  await collection.save(container);
}

/** Networks that were not there when the container was made. */
function findLateNetworks({ networks }: ContainerContext, { record }: Container): void {
  for (const attachment of record.attachments) {
    if (networks.byId(attachment.networkId) !== undefined) continue;
    const network = networks.find(attachment.networkId);
    if (network === undefined) throw new EngineError('not-found', 'NETWORK_UNKNOWN', `network ${attachment.networkId} not found`);
    attachment.networkId = network.record.id;
  }
}

function writeSpec(context: ContainerContext, container: Container, rootfsPath: string, sources: ReadonlyMap<string, string>): void {
  const { system } = context;
  const { id, record } = container;
  const { config, hostConfig } = record;
  const hostname = hostnameOf(context, record);
  writeEtc(context, container);
  const root = system.files.openRoot(rootfsPath);
  let user: ResolvedUser;
  try {
    user = userOf(root, config.User, hostConfig.GroupAdd ?? []);
    if (config.WorkingDir !== '') makeWorkingDirectory(root, config.WorkingDir);
  } finally {
    root.close();
  }
  const spec = containerSpec({
    record,
    rootfs: rootfsPath,
    user,
    hostname: config.Domainname === '' ? hostname : `${hostname}.${config.Domainname}`,
    etc: etcFiles(context, record),
    variables: linkVariables(context, record),
    initProgram: hostConfig.Init === true && hostConfig.PidMode === '' ? system.machine.executablePath() : undefined,
    sources,
    capabilities: containerCapabilities(hostConfig.Privileged, hostConfig.CapAdd ?? [], hostConfig.CapDrop ?? [], context.capabilities),
    join: joinedNamespaces(context, container),
    devices: resolveDevices(system.files, hostConfig),
    cgroupVersion: context.cgroupVersion,
    seccomp: context.seccomp ? { architecture: system.machine.architecture, kernelVersion: system.machine.kernelVersion() } : undefined,
  });
  system.files.writeText(`${bundleFolder(context, id)}/config.json`, JSON.stringify(spec), 0o600);
}

function makeWorkingDirectory(root: Root, path: string): void {
  try {
    root.mkdirs(path, 0o755);
  } catch (error) {
    throw new EngineError('invalid', 'WORKING_DIRECTORY', `cannot make the working directory ${path}: ${messageOf(error)}`, { cause: error });
  }
}

function joinedNamespaces(context: ContainerContext, { record }: Container): { network?: string; pid?: string; ipc?: string } {
  const join = (mode: string, kind: string): string | undefined => {
    if (!mode.startsWith('container:')) return undefined;
    const other = context.collection.find(mode.slice('container:'.length));
    if (!isLive(other.record.state)) throw new EngineError('conflict', 'NOT_RUNNING', `cannot join ${kind} namespace of a non running container: ${other.id}`);
    return `/proc/${other.record.state.pid}/ns/${kind}`;
  };
  const network = join(record.hostConfig.NetworkMode, 'net');
  const pid = join(record.hostConfig.PidMode, 'pid');
  const ipc = join(record.hostConfig.IpcMode, 'ipc');
  return { ...(network === undefined ? {} : { network }), ...(pid === undefined ? {} : { pid }), ...(ipc === undefined ? {} : { ipc }) };
}

/** A start that failed leaves nothing but the record of it. */
async function abandon(context: ContainerContext, container: Container, error: unknown): Promise<void> {
  const { runtime, rootfs, system, collection } = context;
  const { id, record } = container;
  for (const pending of container.pendingAttach) pending.failed(error);
  container.pendingAttach.clear();
  const cleanUps: (() => Promise<void> | void)[] = [
    () => runtime.remove(id),
    () => releaseAttachments(context, container),
    () => rootfs.unmount(id),
    () => system.files.removeTree(bundleFolder(context, id)),
  ];
  for (const cleanUp of cleanUps) {
    try {
      await cleanUp();
    } catch (failure) {
      system.reporter.log('warn', 'clean-up after a failed start', { container: id, error: messageOf(failure) });
    }
  }
  const code = error instanceof EngineError && error.code === 'COMMAND_NOT_FOUND' ? 127 : error instanceof EngineError && error.code === 'COMMAND_NOT_EXECUTABLE' ? 126 : 128;
  Object.assign(record.state, { status: record.state.status === 'created' ? 'created' : 'exited', pid: 0, conmonPid: 0, exitCode: code, error: messageOf(error) });
  await collection.save(container);
  context.life.startFailed(container);
}
