import { isLive } from '../containers/index.ts';
import { matchesEvent, type EngineEvent } from '../events/index.ts';
import { DEFAULT_BRIDGE_ID } from '../network/index.ts';
import { API_VERSION, API_VERSION_MIN, ENGINE_VERSION } from '../version.ts';
import type { ApiContext } from './context.ts';
import { parseFilters, sendJson, type ApiRequest } from './request.ts';
import { imageSummary } from './image-views.ts';
import { containerSummary } from './container-views.ts';
import { volumeView } from './volumes.ts';

const EVENT_FILTERS = ['container', 'daemon', 'event', 'image', 'label', 'network', 'scope', 'type', 'volume'];

export async function ping(_: ApiContext, { exchange }: ApiRequest): Promise<void> {
  const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-cache, no-store, must-revalidate', Pragma: 'no-cache', 'Builder-Version': '1', Swarm: 'inactive' };
  await exchange.respond(200, headers, 'OK');
}

export async function version({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const { machine } = containers.system;
  const details = {
    ApiVersion: API_VERSION, Arch: machine.architecture, Experimental: 'false', KernelVersion: machine.kernelVersion(), MinAPIVersion: API_VERSION_MIN, Os: 'linux',
  };
  await sendJson(request, 200, {
    Platform: { Name: 'Minke' },
    Components: [{ Name: 'Engine', Version: ENGINE_VERSION, Details: details }],
    Version: ENGINE_VERSION,
    ApiVersion: API_VERSION,
    MinAPIVersion: API_VERSION_MIN,
    GitCommit: '',
    GoVersion: '',
    Os: 'linux',
    Arch: machine.architecture,
    KernelVersion: machine.kernelVersion(),
    BuildTime: '',
  });
}

export async function info({ containers, settings, engineId }: ApiContext, request: ApiRequest): Promise<void> {
  const { system, collection, images, cgroupVersion, networks } = containers;
  const bridge = networks.byId(DEFAULT_BRIDGE_ID)?.bridge;
  const { machine } = system;
  const records = collection.all().map(({ record }) => record);
  const running = records.filter(({ state }) => isLive(state) && state.status !== 'paused').length;
  const paused = records.filter(({ state }) => state.status === 'paused').length;
  await sendJson(request, 200, {
    ID: engineId,
    Containers: records.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: records.length - running - paused,
    Images: images.all().length,
    Driver: 'overlay2',
    DriverStatus: [['Backing Filesystem', 'overlay'], ['Supports d_type', 'true'], ['Native Overlay Diff', 'true'], ['userxattr', 'false']],
    Plugins: { Volume: ['local'], Network: ['bridge', 'host', 'null'], Authorization: null, Log: ['json-file', 'local', 'none'] },
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    OomKillDisable: cgroupVersion === 1,
    IPv4Forwarding: settings.ipForward,
    BridgeNfIptables: false,
    BridgeNfIp6tables: false,
    Debug: settings.logLevel === 'debug',
    NFd: -1,
    NGoroutines: -1,
    SystemTime: new Date(system.clock.now()).toISOString(),
    LoggingDriver: 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: String(cgroupVersion),
    NEventsListener: 0,
    KernelVersion: machine.kernelVersion(),
    OperatingSystem: operatingSystem(system.files.exists('/etc/os-release') ? system.files.readText('/etc/os-release') : ''),
    OSVersion: '',
    OSType: 'linux',
    Architecture: machine.machineName(),
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: { AllowNondistributableArtifactsCIDRs: null, AllowNondistributableArtifactsHostnames: null, InsecureRegistryCIDRs: ['127.0.0.0/8'], IndexConfigs: {}, Mirrors: settings.registryMirrors },
    NCPU: machine.processorCount(),
    MemTotal: machine.memoryBytes(),
    GenericResources: null,
    DockerRootDir: settings.dataRoot,
    HttpProxy: masked(settings.proxies.http),
    HttpsProxy: masked(settings.proxies.https),
    NoProxy: settings.proxies.exceptions,
    Name: machine.hostname(),
    Labels: settings.labels,
    ExperimentalBuild: false,
    ServerVersion: ENGINE_VERSION,
    Runtimes: { crun: { path: containers.runtime.programs.crun } },
    DefaultRuntime: 'crun',
    Swarm: { NodeID: '', NodeAddr: '', LocalNodeState: 'inactive', ControlAvailable: false, Error: '', RemoteManagers: null },
    LiveRestoreEnabled: settings.liveRestore,
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: { ID: '', Expected: '' },
    RuncCommit: { ID: '', Expected: '' },
    InitCommit: { ID: '', Expected: '' },
    SecurityOptions: [...(containers.seccomp ? ['name=seccomp,profile=builtin'] : []), ...(containers.cgroupVersion === 2 ? ['name=cgroupns'] : [])],
    DefaultAddressPools: bridge === undefined ? [] : [{ Base: bridge.subnet, Size: bridge.prefixLength }],
    Warnings: [],
  });
}

/** Without the password that an address may carry. */
function masked(address: string): string {
  return address.replace(/\/\/[^@/]*@/, '//xxxxx:xxxxx@');
}

function operatingSystem(release: string): string {
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(release)?.[1] ?? 'Linux';
}

export async function events({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const { events: bus, system } = containers;
  const { exchange, query } = request;
  const filters = parseFilters(request, EVENT_FILTERS);
  const since = eventTime(query.get('since'));
  const until = eventTime(query.get('until'));
  const stream = await exchange.stream(200, { 'Content-Type': 'application/json' });
  // Events wait here while the client is slow; one that never reads is cut off rather than kept for.
  const waiting: EngineEvent[] = [];
  let wake: () => void = () => undefined;
  let over = false;
  const finish = (): void => {
    over = true;
    wake();
  };
  const take = (event: EngineEvent): void => {
    if (!matchesEvent(event, filters) || (until !== undefined && event.timeNano / 1e9 > until)) return;
    waiting.push(event);
    if (waiting.length > 10_000) finish();
    wake();
  };
  if (since !== undefined) for (const event of bus.recent()) if (event.timeNano / 1e9 >= since) take(event);
  const unsubscribe = bus.subscribe(take);
  const forget = exchange.gone.onCancel(finish);
  const untilMs = until === undefined ? undefined : until * 1000 - system.clock.now();
  const stopTimer = untilMs === undefined ? () => undefined : system.clock.after(Math.max(0, untilMs), finish);
  try {
    for (;;) {
      const batch = waiting.splice(0);
      if (batch.length > 0) await stream.write(batch.map((event) => `${JSON.stringify(event)}\n`));
      if (waiting.length > 0) continue;
      if (over) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    await stream.end();
  } finally {
    unsubscribe();
    forget();
    stopTimer();
  }
}

/** Seconds since the epoch, from seconds or RFC 3339. */
function eventTime(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text);
  const parsed = Date.parse(text);
  return Number.isNaN(parsed) ? undefined : parsed / 1000;
}

export async function diskUsage(context: ApiContext, request: ApiRequest): Promise<void> {
  const { containers, volumes, images, layers, system } = { ...context.containers, containers: context.containers };
  const layerBytes = layers.all().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const sizes = await Promise.all(volumes.all().map(async ({ name }) => (await system.files.diskUsage(volumes.path(name))).allocatedBytes));
  await sendJson(request, 200, {
    LayersSize: layerBytes,
    Images: images.all().map((image) => imageSummary(context, image)),
    Containers: await Promise.all(containers.collection.all().map(({ record }) => containerSummary(context, record, true))),
    Volumes: volumes.all().map((volume, index) => ({ ...volumeView(context, volume), UsageData: { Size: sizes[index] ?? 0, RefCount: references(context, volume.name) } })),
    BuildCache: [],
    BuilderSize: 0,
  });
}

function references({ containers }: ApiContext, volume: string): number {
  return containers.collection.all().filter(({ record }) => record.mounts.some(({ type, name }) => type === 'volume' && name === volume)).length;
}
