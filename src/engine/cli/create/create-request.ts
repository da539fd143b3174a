import { parseGoDuration } from '../../format/index.ts';
import { CliError } from '../cli-error.ts';
import { parseInteger, parseMemoryBytes, parseNanoCpus } from '../flags/flag-kinds.ts';
import type { FlagValues } from '../flags/parse-flags.ts';
import { parseDevice, parseDeviceRate, parseDeviceWeight } from './device-spec.ts';
import { capabilityList } from './capabilities.ts';
import { keyValueMap, resolveEnvironment } from './environment.ts';
import { parseMount } from './mount-spec.ts';
import { chooseNetworks, type EndpointSettings } from './network-spec.ts';
import { parsePorts } from './port-spec.ts';
import { parseRestartPolicy } from './restart-policy.ts';
import { parseTmpfs, parseVolumes } from './volume-spec.ts';

/** What the command line alone does not say: files it names, our surroundings. */
export interface CreateSurroundings {
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** Lines of the --env-file and --label-file files, in order. */
  readonly envFileLines: readonly string[];
  readonly labelFileLines: readonly string[];
  /** --security-opt with its files read in. */
  readonly securityOptions: readonly string[];
  readonly consoleSize: { readonly rows: number; readonly columns: number } | null;
}

/** Body of POST /containers/create, with Docker's field names. */
export interface CreateRequest {
  readonly [field: string]: unknown;
  readonly Image: string;
  readonly Tty: boolean;
  readonly OpenStdin: boolean;
  readonly AttachStdin: boolean;
  readonly AttachStdout: boolean;
  readonly AttachStderr: boolean;
  readonly HostConfig: Readonly<Record<string, unknown>> & { readonly AutoRemove: boolean };
  readonly NetworkingConfig: { readonly EndpointsConfig: Record<string, EndpointSettings> };
}

function bytes(flags: FlagValues, name: string): number {
  const text = flags.string(name);
  return text === '-1' ? -1 : parseMemoryBytes(text) ?? 0;
}

function nanoseconds(flags: FlagValues, name: string): number {
  return parseGoDuration(flags.string(name)) ?? 0;
}

/** Turns the flags of create and run, the image and the command into the API's request. */
export function buildCreateRequest(flags: FlagValues, args: readonly string[], surroundings: CreateSurroundings): CreateRequest {
  const [image = '', ...command] = args;
  const interactive = flags.bool('interactive');
  const attached = flags.list('attach').map((stream) => stream.toLowerCase());
  const ports = parsePorts(flags.list('publish'), flags.list('expose'));
  const volumes = parseVolumes(flags.list('volume'), surroundings.workingDirectory);
  const networks = chooseNetworks(flags);
  const detached = flags.given('detach') && flags.bool('detach');
  const attachStdin = attached.length > 0 ? attached.includes('stdin') : interactive && !detached;
  const attach = (stream: string) => (attached.length > 0 ? attached.includes(stream) : !detached);
  checkConflicts(flags);

  return {
    Hostname: flags.string('hostname'), Domainname: flags.string('domainname'), User: flags.string('user'),
    AttachStdin: attachStdin, AttachStdout: attach('stdout'), AttachStderr: attach('stderr'),
    ExposedPorts: ports.exposed,
    Tty: flags.bool('tty'), OpenStdin: interactive, StdinOnce: attachStdin && interactive,
    Env: resolveEnvironment(surroundings.envFileLines, flags.list('env'), surroundings.environment),
    Cmd: command.length > 0 ? command : null,
    ...healthcheck(flags),
    Image: image,
    Volumes: volumes.anonymous,
    WorkingDir: flags.string('workdir'),
    Entrypoint: flags.given('entrypoint') ? [flags.string('entrypoint')] : null,
    OnBuild: null,
    Labels: keyValueMap([...surroundings.labelFileLines, ...flags.list('label')]),
    ...(flags.given('stop-signal') ? { StopSignal: flags.string('stop-signal') } : {}),
    ...(flags.given('stop-timeout') ? { StopTimeout: flags.int('stop-timeout') } : {}),
    HostConfig: hostConfig(flags, surroundings, { binds: volumes.binds, bindings: ports.bindings, networkMode: networks.mode }),
    NetworkingConfig: { EndpointsConfig: networks.endpoints },
  };
}

function checkConflicts(flags: FlagValues): void {
  const restart = flags.string('restart');
  if (flags.bool('rm') && restart !== '' && restart !== 'no') throw new CliError('conflicting options: cannot specify both --restart and --rm');
  const swappiness = flags.int('memory-swappiness') ?? -1;
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100)) throw new CliError(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  const health = ['health-cmd', 'health-interval', 'health-retries', 'health-start-interval', 'health-start-period', 'health-timeout'];
  if (flags.bool('no-healthcheck') && health.some((name) => flags.given(name))) throw new CliError('--no-healthcheck conflicts with --health-* options');
  for (const name of ['health-interval', 'health-timeout', 'health-start-period', 'health-start-interval']) {
    if (nanoseconds(flags, name) < 0) throw new CliError(`--${name} cannot be negative`);
  }
  if ((flags.int('health-retries') ?? 0) < 0) throw new CliError('--health-retries cannot be negative');
}

function healthcheck(flags: FlagValues): { Healthcheck?: unknown } {
  if (flags.bool('no-healthcheck')) return { Healthcheck: { Test: ['NONE'] } };
  const settings = {
    ...(flags.given('health-cmd') ? { Test: ['CMD-SHELL', flags.string('health-cmd')] } : {}),
    ...(flags.given('health-interval') ? { Interval: nanoseconds(flags, 'health-interval') } : {}),
    ...(flags.given('health-timeout') ? { Timeout: nanoseconds(flags, 'health-timeout') } : {}),
    ...(flags.given('health-start-period') ? { StartPeriod: nanoseconds(flags, 'health-start-period') } : {}),
    ...(flags.given('health-start-interval') ? { StartInterval: nanoseconds(flags, 'health-start-interval') } : {}),
    ...(flags.given('health-retries') ? { Retries: flags.int('health-retries') } : {}),
  };
  return Object.keys(settings).length === 0 ? {} : { Healthcheck: settings };
}

export function parseUlimit(spec: string): { Name: string; Soft: number; Hard: number } {
  const [name = '', limits = ''] = spec.split('=', 2);
  const [soft, hard] = limits.split(':').map((part) => parseInteger(part) ?? 0);
  return { Name: name, Soft: soft ?? 0, Hard: hard ?? soft ?? 0 };
}

function hostConfig(
  flags: FlagValues, surroundings: CreateSurroundings, parts: { binds: string[]; bindings: unknown; networkMode: string },
): CreateRequest['HostConfig'] {
  const list = (name: string) => (flags.list(name).length > 0 ? [...flags.list(name)] : null);
  const mounts = flags.list('mount').map((spec) => {
    const mount = parseMount(spec, surroundings.workingDirectory);
    if (typeof mount === 'string') throw new CliError(`invalid argument ${JSON.stringify(spec)} for "--mount" flag: ${mount}`);
    return mount;
  });
  const pids = flags.int('pids-limit') ?? 0;
  const securityOptions = surroundings.securityOptions.filter((option) => option !== 'systempaths=unconfined');
  return {
    Binds: parts.binds.length > 0 ? parts.binds : null,
    ContainerIDFile: flags.string('cidfile'),
    LogConfig: { Type: flags.string('log-driver'), Config: keyValueMap(flags.list('log-opt')) },
    NetworkMode: parts.networkMode, PortBindings: parts.bindings,
    RestartPolicy: parseRestartPolicy(flags.string('restart')) ?? { Name: 'no', MaximumRetryCount: 0 },
    AutoRemove: flags.bool('rm'), VolumeDriver: flags.string('volume-driver'), VolumesFrom: list('volumes-from'),
    ConsoleSize: surroundings.consoleSize ? [surroundings.consoleSize.rows, surroundings.consoleSize.columns] : [0, 0],
    ...(flags.given('annotation') ? { Annotations: keyValueMap(flags.list('annotation')) } : {}),
    CapAdd: capabilityList(flags.list('cap-add')), CapDrop: capabilityList(flags.list('cap-drop')), CgroupnsMode: flags.string('cgroupns'),
    Dns: [...flags.list('dns')], DnsOptions: [...flags.list('dns-option')], DnsSearch: [...flags.list('dns-search')],
    ExtraHosts: list('add-host')?.map(hostEntry) ?? null, GroupAdd: list('group-add'),
    IpcMode: flags.string('ipc'), Cgroup: '', Links: list('link'), OomScoreAdj: flags.int('oom-score-adj') ?? 0,
    PidMode: flags.string('pid'), Privileged: flags.bool('privileged'), PublishAllPorts: flags.bool('publish-all'),
    ReadonlyRootfs: flags.bool('read-only'), SecurityOpt: securityOptions.length > 0 ? securityOptions : null,
    ...(flags.given('storage-opt') ? { StorageOpt: keyValueMap(flags.list('storage-opt')) } : {}),
    ...(flags.given('tmpfs') ? { Tmpfs: parseTmpfs(flags.list('tmpfs')) } : {}),
    UTSMode: flags.string('uts'), UsernsMode: flags.string('userns'), ShmSize: bytes(flags, 'shm-size'),
    ...(flags.given('sysctl') ? { Sysctls: keyValueMap(flags.list('sysctl')) } : {}),
    ...(flags.string('runtime') === '' ? {} : { Runtime: flags.string('runtime') }),
    Isolation: flags.string('isolation'),
    ...resources(flags),
    PidsLimit: pids, Ulimits: flags.list('ulimit').map(parseUlimit),
    ...(mounts.length > 0 ? { Mounts: mounts } : {}),
    ...(flags.given('init') ? { Init: flags.bool('init') } : {}),
    MaskedPaths: null, ReadonlyPaths: null,
    ...systemPaths(surroundings.securityOptions),
  };
}

/** "host=1.2.3.4" is the newer way to write "host:1.2.3.4". */
function hostEntry(entry: string): string {
  const separator = /[=:]/.exec(entry)?.index ?? -1;
  const address = entry.slice(separator + 1).replace(/^\[(.*)\]$/, '$1');
  return `${entry.slice(0, separator)}:${address}`;
}

function systemPaths(options: readonly string[]): { MaskedPaths?: string[]; ReadonlyPaths?: string[] } {
  return options.includes('systempaths=unconfined') ? { MaskedPaths: [], ReadonlyPaths: [] } : {};
}

function resources(flags: FlagValues): Record<string, unknown> {
  const int = (name: string) => flags.int(name) ?? 0;
  const rates = (name: string, unit: 'bytes' | 'operations') => {
    const list = flags.list(name).map((spec) => parseDeviceRate(spec, unit));
    return list.length > 0 ? list : null;
  };
  const swappiness = int('memory-swappiness');
  return {
    CpuShares: int('cpu-shares'), Memory: bytes(flags, 'memory'),
    NanoCpus: flags.given('cpus') ? parseNanoCpus(flags.string('cpus')) ?? 0 : 0,
    CgroupParent: flags.string('cgroup-parent'),
    BlkioWeight: int('blkio-weight'), BlkioWeightDevice: flags.list('blkio-weight-device').map(parseDeviceWeight),
    BlkioDeviceReadBps: rates('device-read-bps', 'bytes') ?? [], BlkioDeviceWriteBps: rates('device-write-bps', 'bytes') ?? [],
    BlkioDeviceReadIOps: rates('device-read-iops', 'operations') ?? [], BlkioDeviceWriteIOps: rates('device-write-iops', 'operations') ?? [],
    CpuPeriod: int('cpu-period'), CpuQuota: int('cpu-quota'), CpuRealtimePeriod: int('cpu-rt-period'), CpuRealtimeRuntime: int('cpu-rt-runtime'),
    CpusetCpus: flags.string('cpuset-cpus'), CpusetMems: flags.string('cpuset-mems'),
    Devices: flags.list('device').map(parseDevice),
    DeviceCgroupRules: flags.list('device-cgroup-rule').length > 0 ? [...flags.list('device-cgroup-rule')] : null,
    MemoryReservation: bytes(flags, 'memory-reservation'), MemorySwap: bytes(flags, 'memory-swap'),
    MemorySwappiness: swappiness === -1 ? -1 : swappiness,
    OomKillDisable: flags.bool('oom-kill-disable'),
  };
}
