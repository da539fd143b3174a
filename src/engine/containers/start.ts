import { EngineError, messageOf } from '../error.ts';
import { formatHosts, formatResolvConf, parseExtraHost, planPorts, raiseLoopback, type EndpointLease } from '../network/index.ts';
import type { Root } from '../ports/index.ts';
import { containerCapabilities } from './capabilities.ts';
import type { Container } from './collection.ts';
import { bundleFolder, emit, nowIso, type ContainerContext } from './context.ts';
import { resolveDevices } from './devices.ts';
import { watchHealth } from './health-monitor.ts';
import { isLive } from './record.ts';
import { containerSpec } from './spec.ts';
import { parseSize } from './sizes.ts';
import { userOf, type ResolvedUser } from './users.ts';
import { watchContainer } from './watch.ts';

const LOG_FILE = 'container.log';

export function logPath(context: ContainerContext, id: string): string {
  return `${context.collection.folder(id)}/${LOG_FILE}`;
}

/** Starts a container that does not run. Resolves when its first process does. */
export function startContainer(context: ContainerContext, container: Container, automatic = false): Promise<void> {
  return container.queue(async () => {
    const { state } = container.record;
    if (isLive(state)) throw new EngineError('not-modified', 'ALREADY_RUNNING', 'container is already running');
    if (state.status === 'removing' || state.status === 'dead') throw new EngineError('conflict', 'REMOVING', 'container is marked for removal and cannot be started');
    container.cancelRestart?.();
    container.cancelRestart = undefined;
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
  const { runtime, rootfs, system, bridge, collection } = context;
  const { id, record } = container;
  const bundle = bundleFolder(context, id);
  await runtime.remove(id);
  await system.files.removeTree(bundle);
  await system.files.removeTree(`${context.paths.exits}/${id}`);
  system.files.mkdirs(bundle, 0o700);

  const rootfsPath = rootfs.mount(id, record.diffIds);
  const lease = leaseEndpoint(context, container);
  writeSpec(context, container, rootfsPath, lease);

  const { pid, conmonPid } = await runtime.create({
    containerId: id,
    name: record.name,
    directory: bundle,
    exitDirectory: context.paths.exits,
    logPath: record.hostConfig.LogConfig.Type === 'none' ? undefined : logPath(context, id),
    logLimitBytes: parseSize(record.hostConfig.LogConfig.Config['max-size']),
    tty: record.config.Tty,
    stdin: record.config.OpenStdin,
    // A terminal outlives the client that detaches from it, as in Docker.
    keepStdin: !record.config.StdinOnce || record.config.Tty,
    exec: undefined,
  });
  if (record.endpoint.network === 'none') raiseLoopback(system.netlink, pid);
  if (lease !== undefined && bridge !== undefined) {
    bridge.connect(id, lease, pid);
    await bridge.publish(id, lease);
  }
  for (const pending of container.pendingAttach) {
    container.pendingAttach.delete(pending);
    pending.connected(await runtime.attach(bundle));
  }
  await runtime.start(id);
  const { state } = record;
  Object.assign(state, { status: 'running', pid, conmonPid, exitCode: 0, oomKilled: false, error: '', startedAt: nowIso(context) });
  watchContainer(context, container);
  watchHealth(context, container, 'start');
  await collection.save(container);
}

function leaseEndpoint({ bridge }: ContainerContext, { id, record }: Container): EndpointLease | undefined {
  const { network } = record.endpoint;
  if (network === 'host' || network === 'none' || network.startsWith('container:')) return undefined;
  if (network !== 'bridge' || bridge === undefined) throw new EngineError('not-found', 'NETWORK_UNKNOWN', `network ${network} not found`);
  const { hostConfig, config } = record;
  const ports = planPorts(hostConfig.PortBindings, Object.keys(config.ExposedPorts ?? {}), hostConfig.PublishAllPorts);
  const lease = bridge.lease(id, ports, record.endpoint.address);
  record.endpoint = { network: 'bridge', ...lease };
  return lease;
}

function writeSpec(context: ContainerContext, container: Container, rootfsPath: string, lease: EndpointLease | undefined): void {
  const { system, collection } = context;
  const { id, record } = container;
  const { config, hostConfig } = record;
  const hostname = hostConfig.UTSMode === 'host' ? system.machine.hostname() : config.Hostname;
  const folder = collection.folder(id);
  const etc = { hosts: `${folder}/hosts`, hostname: `${folder}/hostname`, resolvConf: `${folder}/resolv.conf` };
  writeEtc(context, container, etc, hostname, lease);
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
    etc,
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

function writeEtc(context: ContainerContext, { record }: Container, etc: { hosts: string; hostname: string; resolvConf: string }, hostname: string, lease: EndpointLease | undefined): void {
  const { files } = context.system;
  const { hostConfig, config } = record;
  const hostNetwork = hostConfig.NetworkMode === 'host';
  const names = config.Domainname === '' ? [hostname] : [`${hostname}.${config.Domainname}`, hostname];
  const gateway = context.bridge?.gateway ?? '127.0.0.1';
  const extra = (hostConfig.ExtraHosts ?? []).map((text) => {
    const entry = parseExtraHost(text, gateway);
    if (entry === undefined) throw new EngineError('invalid', 'EXTRA_HOST', `bad format for add-host: ${JSON.stringify(text)}`);
    return entry;
  });
  files.writeText(etc.hosts, hostNetwork && extra.length === 0 ? readOr(context, '/etc/hosts') : formatHosts([...extra, ...(lease === undefined ? [] : [{ address: lease.address, names }])]));
  files.writeText(etc.hostname, `${hostname}\n`);
  const wanted = {
    servers: hostConfig.Dns.length > 0 ? hostConfig.Dns : hostNetwork ? [] : context.dns.servers,
    search: hostConfig.DnsSearch.length > 0 ? hostConfig.DnsSearch : context.dns.search,
    options: hostConfig.DnsOptions.length > 0 ? hostConfig.DnsOptions : context.dns.options,
  };
  files.writeText(etc.resolvConf, formatResolvConf(hostResolvConf(context), wanted, hostNetwork));
}

/** Behind systemd-resolved's stub stand the real servers. */
function hostResolvConf(context: ContainerContext): string {
  const text = readOr(context, '/etc/resolv.conf');
  return /^nameserver\s+127\.0\.0\.53\s*$/m.test(text) ? readOr(context, '/run/systemd/resolve/resolv.conf') || text : text;
}

function readOr({ system }: ContainerContext, path: string): string {
  return system.files.exists(path) ? system.files.readText(path) : '';
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
  const { runtime, rootfs, system, bridge, collection } = context;
  const { id, record } = container;
  for (const pending of container.pendingAttach) pending.failed(error);
  container.pendingAttach.clear();
  const cleanUps: (() => Promise<void> | void)[] = [
    () => runtime.remove(id),
    () => (record.endpoint.network === 'bridge' ? bridge?.release(id, record.endpoint) : undefined),
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
