import { activationFds, exit, getEnv, ids, log, notifySupervisor, onSignal, onUncaught, pid, umask } from 'host:process';
import { createApi } from '../api/index.ts';
import { endWithSystem, isLive, lastPatienceS } from '../containers/index.ts';
import { EngineError, messageOf, systemErrorCode } from '../error.ts';
import { DEFAULT_LIMITS, serveConnection } from '../http/index.ts';
import { sleep, type Connection, type Reporter, type System } from '../ports/index.ts';
import { clearStaleSocket, hostReporter, hostSystem } from '../system/index.ts';
import { API_VERSION, ENGINE_VERSION } from '../version.ts';
import { composeEngine, type Engine } from './compose.ts';
import { findGroup, openListeners, planListeners, socketPath } from './listeners.ts';
import { systemGoesDown } from './going-down.ts';
import { flagText, helpText, parseArguments, parseConfigFile, resolveSettings } from './options.ts';
import { DEFAULT_HOST, DEFAULTS, type DaemonSettings } from './settings.ts';
import { behindTls, readIdentity } from './tls.ts';
import { startWatchdog } from './watchdog.ts';

/** Of what has begun when the daemon is told to stop. */
const FINISH_PATIENCE_MS = 10_000;
/** What a supervisor is asked to wait for: while it is asked what goes on, for containers at most, and how much longer than the slowest of them may take. */
const [ASKING_S, LONGEST_END_S, END_MARGIN_S] = [120, 600, 60] as const;

/** `minke daemon`: resolves with the exit code when the daemon has been told to stop. */
export async function runDaemon(argv: readonly string[]): Promise<number> {
  const reporter = hostReporter('info');
  try {
    const parsed = parseArguments(argv);
    if (parsed.help || parsed.version) {
      log(parsed.help ? helpText() : `Minke Engine version ${ENGINE_VERSION}`);
      return 0;
    }
    const system = hostSystem(reporter);
    const configFile = flagText(parsed.given, 'config-file') ?? DEFAULTS.configFile;
    // A file that somebody names has to be there; the usual one need not.
    const fromFile = configFile !== DEFAULTS.configFile || system.files.exists(configFile) ? parseConfigFile(readConfig(system, configFile), configFile) : new Map();
    const resolved = resolveSettings(fromFile, parsed.given);
    const settings: DaemonSettings = { ...resolved, proxies: withEnvironment(resolved.proxies), startedAt: new Date(system.clock.now()).toISOString() };
    if (parsed.validate) {
      log('configuration OK');
      return 0;
    }
    if (ids().effectiveUid !== 0) throw new EngineError('forbidden', 'NOT_ROOT', 'the daemon has to run as root', { hint: 'use sudo, or the systemd service' });
    return await serve({ ...system, reporter: hostReporter(settings.logLevel) }, settings);
  } catch (error) {
    if (!(error instanceof EngineError)) {
      reporter.log('fatal', messageOf(error), { stack: error instanceof Error ? (error.stack ?? '') : '' });
      return 1;
    }
    log(`minke daemon: ${error.message}${error.hint === undefined ? '' : `\n  ${error.hint}`}`);
    return error.code === 'DAEMON_OPTION' ? 2 : 1;
  }
}

/** As everywhere: in capitals or not. */
function withEnvironment({ http, https, exceptions }: DaemonSettings['proxies']): DaemonSettings['proxies'] {
  const variable = (name: string): string => getEnv(name) ?? getEnv(name.toLowerCase()) ?? '';
  return { http: http || variable('HTTP_PROXY'), https: https || variable('HTTPS_PROXY'), exceptions: exceptions || variable('NO_PROXY') };
}

function readConfig(system: System, path: string): string {
  try {
    return system.files.readText(path, 1024 * 1024);
  } catch (error) {
    throw new EngineError('invalid', 'DAEMON_OPTION', `cannot read ${path}: ${systemErrorCode(error) ?? messageOf(error)}`, { cause: error });
  }
}

async function serve(system: System, settings: DaemonSettings): Promise<number> {
  const { reporter, files, sockets } = system;
  umask(0o022);
  onUncaught((error) => {
    reporter.log('error', 'a fault that nobody dealt with', { error: messageOf(error), stack: error instanceof Error ? (error.stack ?? '') : '' });
  });
  const stopped = new Promise<string>((resolve) => {
    for (const signal of ['TERM', 'INT']) onSignal(signal, resolve);
  });
  onSignal('HUP', () => reporter.log('info', 'nothing is read again on SIGHUP; restart the daemon to change its options'));

  const activated = activationFds().map(({ fd }) => fd);
  const hosts = settings.hosts.length > 0 ? settings.hosts : [activated.length > 0 ? 'fd://' : DEFAULT_HOST];
  const addresses = planListeners(hosts, activated, findGroup(files, settings.group));
  const identity = readIdentity(system, settings, addresses);
  const engine = await composeEngine(system, settings);
  const connections = new Set<Connection>();
  const answer = {
    limits: DEFAULT_LIMITS,
    clock: system.clock,
    headers: { 'Api-Version': API_VERSION, 'Docker-Experimental': 'false', Ostype: 'linux', Server: `Minke/${ENGINE_VERSION} (linux)` },
    handle: createApi(engine.api),
    onFault: (error: unknown, request: string) => reporter.log('error', 'a request failed', { request, error: messageOf(error), stack: error instanceof Error ? (error.stack ?? '') : '' }),
  };
  const onConnection = (connection: Connection): void => {
    connections.add(connection);
    void serveConnection(connection, answer).finally(() => connections.delete(connection));
  };
  const listeners = await openListeners(sockets, files, addresses, clearStaleSocket, (address) => {
    const tcp = address.kind === 'tcp' || (address.kind === 'fd' && socketPath(files, address.fd) === undefined);
    return tcp && identity !== undefined ? behindTls(system, identity, onConnection) : onConnection;
  });
  if (settings.pidFile !== '') files.writeText(settings.pidFile, String(pid));
  for (const address of addresses) {
    if (address.kind === 'tcp' && identity?.clients === undefined) reporter.log('warn', 'everyone who reaches this address is root on this machine: clients need no certificate', { address: `${address.address}:${address.port}` });
  }
  tell(reporter, 'READY=1');
  reporter.log('info', 'the engine answers', { version: ENGINE_VERSION, hosts: hosts.join(' '), containers: engine.containers.collection.all().length });
  const stopWatchdog = feedWatchdog(system, addresses);
  void engine.startContainers();

  const signal = await stopped;
  tell(reporter, 'STOPPING=1');
  tell(reporter, patience(ASKING_S));
  const last = !settings.liveRestore || (await systemGoesDown(system));
  reporter.log('info', 'stopping', { signal, containers: last ? 'stopped too' : 'left running' });
  stopWatchdog();
  engine.goDown();
  for (const listener of listeners) listener.close();
  await finishBegun(engine);
  if (last) await endContainers(engine, settings.shutdownTimeoutS);
  for (const address of addresses) if (address.kind === 'unix') tryUnlink(system, address.path);
  if (settings.pidFile !== '') tryUnlink(system, settings.pidFile);
  engine.release();
  // What still runs (attached clients, timers, watches) would keep the process alive for nothing.
  exit(0);
}

const patience = (seconds: number): string => `EXTEND_TIMEOUT_USEC=${seconds * 1_000_000}`;

/** A supervisor that cannot be reached is no reason to stop. */
function tell(reporter: Reporter, state: string): void {
  try {
    notifySupervisor(state);
  } catch (error) {
    reporter.log('warn', 'the supervisor could not be told', { state, error: messageOf(error) });
  }
}

function feedWatchdog(system: System, addresses: ReturnType<typeof planListeners>): () => void {
  const intervalUs = Number(getEnv('WATCHDOG_USEC') ?? 0);
  if (!(intervalUs > 0)) return () => undefined;
  const paths = addresses.flatMap((address) => (address.kind === 'unix' ? [address.path] : address.kind === 'fd' ? [socketPath(system.files, address.fd)] : []));
  const path = paths.find((candidate) => candidate !== undefined);
  if (path === undefined) {
    system.reporter.log('warn', 'the watchdog is not fed: the daemon has no unix socket to ask itself through');
    return () => undefined;
  }
  return startWatchdog({
    clock: system.clock,
    reporter: system.reporter,
    intervalMs: intervalUs / 1000,
    connect: () => system.sockets.connectUnix(path),
    alive: () => tell(system.reporter, 'WATCHDOG=1'),
  });
}

/** Starts, ends and removals that have begun come to an end: whoever breaks one off leaves the next daemon something to clear up. */
async function finishBegun({ containers: { collection, system } }: Engine): Promise<void> {
  const begun = Promise.all(collection.all().map(({ queue }) => queue(() => Promise.resolve())));
  await Promise.race([begun, sleep(system.clock, FINISH_PATIENCE_MS)]);
}

async function endContainers({ containers }: Engine, timeoutS: number): Promise<void> {
  const running = containers.collection.all().filter(({ record }) => isLive(record.state));
  const slowestS = Math.max(0, ...running.map(({ record }) => lastPatienceS(record, timeoutS)));
  tell(containers.system.reporter, patience(Math.min(LONGEST_END_S, slowestS + END_MARGIN_S)));
  await Promise.all(
    running.map((container) =>
      endWithSystem(containers, container, timeoutS).catch((error: unknown) => {
        containers.system.reporter.log('warn', 'a container did not stop', { container: container.id, error: messageOf(error) });
      }),
    ),
  );
}

function tryUnlink(system: System, path: string): void {
  try {
    system.files.unlink(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') system.reporter.log('warn', 'a file could not be removed', { path });
  }
}
