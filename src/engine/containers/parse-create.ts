import { EngineError } from '../error.ts';
import { parseContainerPort, type PortMap } from '../network/index.ts';
import type { ContainerConfig, CreateRequest, DeviceMapping, EndpointRequest, HostConfig, MountRequest, RestartPolicy } from './config.ts';
import { parseEndpoint, parseLinkText } from './endpoint-request.ts';
import { parseDeviceRule } from './devices.ts';
import { createFields, type Fields } from './fields.ts';
import { checkHealthcheck } from './health.ts';
import { logOptionProblem } from './log-files.ts';

export const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;

const RESTART_NAMES = ['', 'no', 'always', 'unless-stopped', 'on-failure'] as const;
/** All mean the one that there is: clients ask for runc by habit. */
const RUNTIMES = ['', 'crun', 'runc', 'io.containerd.runc.v2'];
/** '', '0', '0-2,4' */
const NUMBER_SET = /^(?:\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)?$/;
const MOUNT_TYPES = ['bind', 'volume', 'tmpfs'] as const;

/** The body of POST /containers/create, checked and with every default filled in. Throws 'invalid'. */
export function parseCreateRequest(body: unknown): CreateRequest {
  const root = createFields(body, 'config');
  const hostConfig = parseHostConfig(root.record('HostConfig') ?? createFields({}, 'HostConfig'));
  const config = parseConfig(root);
  // Where docker-py has it.
  hostConfig.Runtime ||= root.text('Runtime');
  const networking = root.record('NetworkingConfig')?.record('EndpointsConfig');
  const endpoints: Record<string, EndpointRequest> = {};
  for (const name of networking?.names() ?? []) endpoints[name] = parseEndpoint(networking?.record(name));
  checkConsistency(config, hostConfig);
  return { config, hostConfig, endpoints };
}

function checkedLinks(links: string[] | null): string[] | null {
  for (const link of links ?? []) parseLinkText(link);
  return links;
}

function parseConfig(fields: Fields): ContainerConfig {
  const exposed = fields.record('ExposedPorts')?.names() ?? [];
  for (const port of exposed) parseContainerPort(port);
  const stopSignal = fields.text('StopSignal');
  const stopTimeout = fields.optionalNumber('StopTimeout');
  const healthcheck = fields.record('Healthcheck');
  const shell = fields.texts('Shell');
  const config: ContainerConfig = {
    Hostname: fields.text('Hostname'),
    Domainname: fields.text('Domainname'),
    User: fields.text('User'),
    AttachStdin: fields.flag('AttachStdin'),
    AttachStdout: fields.flag('AttachStdout'),
    AttachStderr: fields.flag('AttachStderr'),
    Tty: fields.flag('Tty'),
    OpenStdin: fields.flag('OpenStdin'),
    StdinOnce: fields.flag('StdinOnce'),
    Env: fields.texts('Env') ?? [],
    Cmd: fields.textsOrText('Cmd'),
    Image: fields.text('Image'),
    Volumes: fields.keys('Volumes'),
    WorkingDir: fields.text('WorkingDir'),
    Entrypoint: fields.textsOrText('Entrypoint'),
    OnBuild: fields.texts('OnBuild'),
    Labels: fields.textMap('Labels') ?? {},
  };
  if (exposed.length > 0) config.ExposedPorts = Object.fromEntries(exposed.map((port) => [port.includes('/') ? port : `${port}/tcp`, {}]));
  if (stopSignal !== '') config.StopSignal = stopSignal;
  if (stopTimeout !== undefined) config.StopTimeout = stopTimeout;
  const mac = fields.text('MacAddress');
  if (mac !== '') config.MacAddress = mac;
  if (fields.flag('NetworkDisabled')) config.NetworkDisabled = true;
  if (shell !== null) config.Shell = shell;
  if (healthcheck !== undefined) {
    const test = healthcheck.texts('Test');
    config.Healthcheck = {
      ...(test === null ? {} : { Test: test }),
      ...healthcheck.numbers(['Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries']),
    };
    checkHealthcheck(config.Healthcheck);
  }
  if (config.WorkingDir !== '' && !config.WorkingDir.startsWith('/')) {
    throw invalid(`the working directory ${JSON.stringify(config.WorkingDir)} is invalid, it needs to be an absolute path`);
  }
  if (config.Env.some((variable) => variable === '' || variable.startsWith('='))) throw invalid('invalid environment variable: the name is empty');
  return config;
}

function parseHostConfig(fields: Fields): HostConfig {
  const log = fields.record('LogConfig');
  const tmpfs = fields.textMap('Tmpfs');
  const sysctls = fields.textMap('Sysctls');
  const mounts = fields.records('Mounts')?.map(parseMount);
  const init = fields.raw('Init');
  const shmSize = fields.number('ShmSize');
  const host: HostConfig = {
    Binds: fields.texts('Binds'),
    ContainerIDFile: fields.text('ContainerIDFile'),
    LogConfig: { Type: log?.text('Type') || 'json-file', Config: log?.textMap('Config') ?? {} },
    NetworkMode: fields.text('NetworkMode') || 'default',
    PortBindings: parsePortBindings(fields.record('PortBindings')),
    RestartPolicy: parseRestart(fields.record('RestartPolicy')),
    AutoRemove: fields.flag('AutoRemove'),
    VolumeDriver: fields.text('VolumeDriver'),
    VolumesFrom: fields.texts('VolumesFrom'),
    CapAdd: fields.texts('CapAdd'),
    CapDrop: fields.texts('CapDrop'),
    CgroupnsMode: fields.text('CgroupnsMode') || 'private',
    Dns: fields.texts('Dns') ?? [],
    DnsOptions: fields.texts('DnsOptions') ?? [],
    DnsSearch: fields.texts('DnsSearch') ?? [],
    ExtraHosts: fields.texts('ExtraHosts'),
    Links: checkedLinks(fields.texts('Links')),
    GroupAdd: fields.texts('GroupAdd'),
    IpcMode: fields.text('IpcMode') || 'private',
    OomScoreAdj: fields.number('OomScoreAdj'),
    PidMode: fields.text('PidMode'),
    Privileged: fields.flag('Privileged'),
    PublishAllPorts: fields.flag('PublishAllPorts'),
    ReadonlyRootfs: fields.flag('ReadonlyRootfs'),
    SecurityOpt: fields.texts('SecurityOpt'),
    UTSMode: fields.text('UTSMode'),
    UsernsMode: fields.text('UsernsMode'),
    ShmSize: shmSize === 0 ? DEFAULT_SHM_BYTES : shmSize,
    CpuShares: fields.number('CpuShares'),
    Memory: fields.number('Memory'),
    NanoCpus: fields.number('NanoCpus'),
    CgroupParent: fields.text('CgroupParent'),
    BlkioWeight: fields.number('BlkioWeight'),
    CpuPeriod: fields.number('CpuPeriod'),
    CpuQuota: fields.number('CpuQuota'),
    CpusetCpus: fields.text('CpusetCpus'),
    CpusetMems: fields.text('CpusetMems'),
    Devices: (fields.records('Devices') ?? []).map(parseDevice),
    MemoryReservation: fields.number('MemoryReservation'),
    MemorySwap: fields.number('MemorySwap'),
    MemorySwappiness: fields.optionalNumber('MemorySwappiness') ?? null,
    OomKillDisable: fields.flag('OomKillDisable'),
    PidsLimit: fields.optionalNumber('PidsLimit') ?? null,
    Ulimits: fields.records('Ulimits')?.map((limit) => ({ Name: limit.text('Name'), Soft: limit.number('Soft'), Hard: limit.number('Hard') })) ?? null,
    MaskedPaths: fields.texts('MaskedPaths'),
    ReadonlyPaths: fields.texts('ReadonlyPaths'),
    DeviceCgroupRules: fields.texts('DeviceCgroupRules'),
    Runtime: fields.text('Runtime'),
    Isolation: fields.text('Isolation'),
  };
  if (tmpfs !== undefined) host.Tmpfs = tmpfs;
  if (sysctls !== undefined) host.Sysctls = sysctls;
  if (mounts !== undefined) host.Mounts = mounts;
  if (typeof init === 'boolean') host.Init = init;
  return host;
}

function parsePortBindings(fields: Fields | undefined): PortMap {
  const bindings = (name: string): PortMap[string] => fields?.records(name)?.map((binding) => ({ HostIp: binding.text('HostIp'), HostPort: binding.text('HostPort') })) ?? null;
  return Object.fromEntries((fields?.names() ?? []).map((name) => [name, bindings(name)]));
}

export function parseRestart(fields: Fields | undefined): RestartPolicy {
  const name = fields?.text('Name') ?? '';
  const known = RESTART_NAMES.find((candidate) => candidate === name);
  if (known === undefined) throw invalid(`invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`);
  const count = fields?.number('MaximumRetryCount') ?? 0;
  if (count < 0) throw invalid('invalid restart policy: maximum retry count cannot be negative');
  if (count > 0 && known !== 'on-failure') throw invalid("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  return { Name: known === '' ? 'no' : known, MaximumRetryCount: count };
}

function parseDevice(fields: Fields): DeviceMapping {
  const host = fields.text('PathOnHost');
  return { PathOnHost: host, PathInContainer: fields.text('PathInContainer') || host, CgroupPermissions: fields.text('CgroupPermissions') || 'rwm' };
}

function parseMount(fields: Fields): MountRequest {
  const type = MOUNT_TYPES.find((candidate) => candidate === fields.text('Type'));
  const target = fields.text('Target');
  const source = fields.text('Source');
  if (type === undefined) throw invalid(`mount type ${JSON.stringify(fields.text('Type'))} is not supported; use bind, volume or tmpfs`);
  if (!target.startsWith('/')) throw invalid(`invalid mount config for type "${type}": invalid mount path: '${target}' mount path must be absolute`);
  if (type === 'bind' && !source.startsWith('/')) throw invalid(`invalid mount config for type "bind": invalid mount path: '${source}' mount path must be absolute`);
  if (type === 'tmpfs' && source !== '') throw invalid('invalid mount config for type "tmpfs": field Source must not be specified');
  const mount: MountRequest = { Type: type, Target: target };
  if (source !== '') mount.Source = source;
  if (fields.flag('ReadOnly')) mount.ReadOnly = true;
  const bind = fields.record('BindOptions');
  if (bind !== undefined) mount.BindOptions = { Propagation: bind.text('Propagation'), NonRecursive: bind.flag('NonRecursive'), CreateMountpoint: bind.flag('CreateMountpoint') };
  const volume = fields.record('VolumeOptions');
  if (volume !== undefined) mount.VolumeOptions = { NoCopy: volume.flag('NoCopy'), Labels: volume.textMap('Labels') ?? {}, ...subpath(volume.text('Subpath')) };
  const tmpfs = fields.record('TmpfsOptions');
  if ((tmpfs?.number('Mode') ?? 0) < 0 || (tmpfs?.number('Mode') ?? 0) > 0xffff_ffff) throw invalid('invalid mount config for type "tmpfs": invalid mode');
  if (tmpfs !== undefined) mount.TmpfsOptions = { SizeBytes: tmpfs.number('SizeBytes'), Mode: tmpfs.number('Mode') };
  return mount;
}

/** Relative, and nothing above it. Throws 'invalid'. */
function subpath(path: string): { Subpath?: string } {
  if (path === '') return {};
  if (path.startsWith('/') || path.split('/').includes('..')) throw invalid('invalid mount config for type "volume": subpath must be a relative path within the volume');
  return { Subpath: path };
}

/** Throws 'invalid' for limits that no container can have. */
export function checkLimits(host: HostConfig): void {
  if (host.Memory !== 0 && host.Memory < 6 * 1024 * 1024) throw invalid('Minimum memory limit allowed is 6MB');
  for (const [what, set] of [['cpus', host.CpusetCpus], ['mems', host.CpusetMems]]) if (!NUMBER_SET.test(set ?? '')) throw invalid(`Invalid value ${set} for cpuset ${what}`);
  if (host.BlkioWeight !== 0 && (host.BlkioWeight < 10 || host.BlkioWeight > 1000)) throw invalid('Range of blkio weight is from 10 to 1000');
  if (host.NanoCpus < 0) throw invalid('Range of CPUs is from 0.01 upwards');
  if (host.NanoCpus > 0 && (host.CpuPeriod > 0 || host.CpuQuota > 0)) throw invalid('Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set');
}

function checkConsistency(config: ContainerConfig, host: HostConfig): void {
  if (host.AutoRemove && host.RestartPolicy.Name !== 'no') throw invalid("can't create 'AutoRemove' container with restart policy");
  checkLimits(host);
  if (host.OomScoreAdj < -1000 || host.OomScoreAdj > 1000) throw invalid(`Invalid value ${host.OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  if (config.Hostname.length > 64 || !/^[\w.-]*$/.test(config.Hostname)) throw invalid(`invalid hostname: ${config.Hostname}`);
  for (const rule of host.DeviceCgroupRules ?? []) if (parseDeviceRule(rule) === undefined) throw invalid(`invalid device cgroup rule format: '${rule}'`);
  if (!RUNTIMES.includes(host.Runtime ?? '')) throw invalid(`unknown or invalid runtime name: ${host.Runtime}`);
  if (!['', 'default'].includes(host.Isolation ?? '')) throw invalid(`invalid isolation '${host.Isolation}' on linux`);
  const driver = host.LogConfig.Type;
  const problem = logOptionProblem(host.LogConfig);
  if (problem !== undefined) throw invalid(problem);
  if (!['json-file', 'local', 'none', 'k8s-file'].includes(driver)) {
    throw new EngineError('invalid', 'LOG_DRIVER', `logger: no log driver named '${driver}' is registered`);
  }
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', 'CREATE_INVALID', message);
}
