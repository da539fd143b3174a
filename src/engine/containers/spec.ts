import { EngineError } from '../error.ts';
import type { OciDevice, OciDeviceRule, OciMount, OciNamespace, OciProcess, OciResources, OciSpec } from '../runtime/index.ts';
import { DEFAULT_PROFILE, parseProfile, resolveProfile, type SeccompProfile } from '../seccomp/index.ts';
import type { HostConfig } from './config.ts';
import { parseDeviceRule } from './devices.ts';
import type { ContainerRecord, MountPoint } from './record.ts';
import type { ResolvedUser } from './users.ts';

/** What the specification needs beyond the container's own record. */
export interface SpecInput {
  record: ContainerRecord;
  rootfs: string;
  user: ResolvedUser;
  capabilities: string[];
  hostname: string;
  /** Files of ours that stand in the container's /etc; none where the host's network is shared as it is. */
  etc: { hosts: string; hostname: string; resolvConf: string };
  /** Paths of namespaces to join instead of making them. */
  join: { network?: string; pid?: string; ipc?: string };
  /** Program that becomes the container's first process and starts the container's own; undefined without --init. */
  initProgram: string | undefined;
  /** By destination: where a mount comes from when that is not its own source. */
  sources: ReadonlyMap<string, string>;
  /** Of links, before the container's own. */
  variables: readonly string[];
  devices: readonly { device: OciDevice; access: string }[];
  cgroupVersion: 1 | 2;
  /** What filters of system calls depend on; undefined where the kernel has none. */
  seccomp: { architecture: string; kernelVersion: string } | undefined;
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const CPU_PERIOD_US = 100_000;
/** Its name is what makes the engine an init. */
const INIT_PATH = '/sbin/docker-init';

const MASKED = [
  '/proc/asound', '/proc/acpi', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/timer_list', '/proc/timer_stats',
  '/proc/sched_debug', '/proc/scsi', '/sys/firmware', '/sys/devices/virtual/powercap',
];
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** null, zero, full, tty, urandom, random, console, ptmx and pseudo terminals; and any node may be made, though not used. */
const BASE_DEVICES: readonly OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...[[1, 3], [1, 5], [1, 7], [1, 8], [1, 9], [5, 0], [5, 1], [5, 2]].map(([major = 0, minor = 0]) => ({ allow: true, type: 'c' as const, major, minor, access: 'rwm' })),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

export function containerSpec(input: SpecInput): OciSpec {
  const { record, rootfs } = input;
  const { hostConfig } = record;
  const security = securityOptions(hostConfig);
  const hostUts = hostConfig.UTSMode === 'host';
  const sysctl = namespacedSysctls(record);
  const seccomp = seccompProfile(security, hostConfig.Privileged);
  return {
    ociVersion: '1.0.2',
    process: { ...containerProcess(input, security.noNewPrivileges), ...(input.initProgram === undefined ? {} : { args: [INIT_PATH, '--', ...record.argv] }) },
    root: { path: rootfs, readonly: hostConfig.ReadonlyRootfs },
    ...(hostUts ? {} : { hostname: input.hostname }),
    mounts: mounts(input),
    linux: {
      cgroupsPath: cgroupPath(record),
      namespaces: namespaces(input),
      devices: input.devices.map(({ device }) => device),
      resources: resources(input),
      maskedPaths: hostConfig.Privileged || security.openPaths ? [] : (hostConfig.MaskedPaths ?? MASKED),
      readonlyPaths: hostConfig.Privileged || security.openPaths ? [] : (hostConfig.ReadonlyPaths ?? READ_ONLY),
      ...(Object.keys(sysctl).length === 0 ? {} : { sysctl }),
      ...(propagates(record.mounts) ? { rootfsPropagation: 'rslave' } : {}),
      ...(seccomp === undefined || input.seccomp === undefined ? {} : { seccomp: resolveProfile(seccomp, { ...input.seccomp, capabilities: input.capabilities }) }),
    },
  };
}

export function cgroupPath(record: ContainerRecord): string {
  const parent = record.hostConfig.CgroupParent === '' ? '/minke' : record.hostConfig.CgroupParent;
  return `${parent.startsWith('/') ? '' : '/'}${parent}/${record.id}`;
}

/** The first process; an exec starts from the same. */
export function containerProcess(input: Pick<SpecInput, 'record' | 'user' | 'capabilities' | 'hostname' | 'variables'>, noNewPrivileges: boolean): OciProcess {
  const { record, user, capabilities, hostname, variables } = input;
  const { config, hostConfig } = record;
  const root = user.uid === 0;
  return {
    terminal: config.Tty,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.groups },
    args: record.argv,
    env: environment([...variables, ...config.Env], config.Tty, hostname, user.home),
    cwd: config.WorkingDir === '' ? '/' : config.WorkingDir,
    // As Docker: an ordinary user has them in the bounding set alone and gets none at exec.
    capabilities: root ? { bounding: capabilities, effective: capabilities, permitted: capabilities } : { bounding: capabilities, effective: [], permitted: [] },
    ...(hostConfig.Ulimits === null ? {} : { rlimits: hostConfig.Ulimits.map(({ Name, Soft, Hard }) => ({ type: `RLIMIT_${Name.toUpperCase()}`, soft: Soft, hard: Hard })) }),
    noNewPrivileges,
    oomScoreAdj: hostConfig.OomScoreAdj,
  };
}

/** Defaults, then what the user and the image say; a name without '=' takes a variable away. */
export function environment(own: readonly string[], tty: boolean, hostname: string, home: string): string[] {
  const variables = new Map<string, string>();
  const set = (variable: string): void => {
    const equals = variable.indexOf('=');
    if (equals < 0) variables.delete(variable);
    else variables.set(variable.slice(0, equals), variable);
  };
  set(DEFAULT_PATH);
  set(`HOSTNAME=${hostname}`);
  if (tty) set('TERM=xterm');
  for (const variable of own) set(variable);
  if (!variables.has('HOME')) set(`HOME=${home}`);
  return [...variables.values()];
}

export interface SecurityOptions {
  noNewPrivileges: boolean;
  openPaths: boolean;
  /** 'default' when nothing was asked for: of a privileged container then nothing is filtered. */
  seccomp: 'default' | 'unconfined' | SeccompProfile;
}

function seccompProfile({ seccomp }: SecurityOptions, privileged: boolean): SeccompProfile | undefined {
  if (seccomp === 'unconfined') return undefined;
  if (seccomp === 'default') return privileged ? undefined : DEFAULT_PROFILE;
  return seccomp;
}

/** Throws 'not-implemented' for what would silently be less safe than asked. */
export function securityOptions(host: HostConfig): SecurityOptions {
  const options: SecurityOptions = { noNewPrivileges: false, openPaths: false, seccomp: 'default' };
  for (const option of host.SecurityOpt ?? []) {
    const [name = '', value = ''] = splitOnce(option);
    if (name === 'no-new-privileges') options.noNewPrivileges = value !== 'false';
    else if (name === 'systempaths' && value === 'unconfined') options.openPaths = true;
    else if (name === 'seccomp') options.seccomp = value === 'unconfined' ? 'unconfined' : value === 'builtin' ? DEFAULT_PROFILE : parseProfile(value);
    else if (name === 'apparmor' && value === 'unconfined') continue;
    else if (name === 'label') continue;
    else throw new EngineError('not-implemented', 'SECURITY_OPTION', `security option ${JSON.stringify(option.slice(0, 60))} is not supported`);
  }
  return options;
}

function splitOnce(option: string): [string, string] {
  const at = option.search(/[=:]/);
  return at < 0 ? [option, ''] : [option.slice(0, at), option.slice(at + 1)];
}

function namespaces({ record, join, cgroupVersion }: SpecInput): OciNamespace[] {
  const { hostConfig } = record;
  const list: OciNamespace[] = [{ type: 'mount' }];
  const place = (type: OciNamespace['type'], mode: string, path: string | undefined): void => {
    if (path !== undefined) list.push({ type, path });
    else if (mode !== 'host') list.push({ type });
  };
  place('network', hostConfig.NetworkMode, join.network);
  place('pid', hostConfig.PidMode, join.pid);
  place('ipc', hostConfig.IpcMode, join.ipc);
  place('uts', hostConfig.UTSMode, undefined);
  if (cgroupVersion === 2) place('cgroup', hostConfig.CgroupnsMode, undefined);
  return list;
}

function namespacedSysctls({ hostConfig }: ContainerRecord): Record<string, string> {
  const ownNetwork = hostConfig.NetworkMode !== 'host' && !hostConfig.NetworkMode.startsWith('container:');
  // Low ports and ping for ordinary users, as Docker allows them within a network of their own.
  const defaults: Record<string, string> = ownNetwork ? { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' } : {};
  return { ...defaults, ...hostConfig.Sysctls };
}

function mounts(input: SpecInput): OciMount[] {
  const { record, etc } = input;
  const { hostConfig } = record;
  const sysMode = hostConfig.Privileged ? 'rw' : 'ro';
  const hostIpc = hostConfig.IpcMode === 'host';
  const standard: OciMount[] = [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
    { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', sysMode] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [sysMode, 'nosuid', 'noexec', 'nodev'] },
    hostIpc
      ? { destination: '/dev/mqueue', type: 'bind', source: '/dev/mqueue', options: ['rbind', 'nosuid', 'noexec', 'nodev'] }
      : { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    hostIpc
      ? { destination: '/dev/shm', type: 'bind', source: '/dev/shm', options: ['rbind', 'nosuid', 'noexec', 'nodev'] }
      : { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${hostConfig.ShmSize}`] },
    ...(['resolvConf', 'hostname', 'hosts'] as const).map((file) => ({
      destination: `/etc/${file === 'resolvConf' ? 'resolv.conf' : file}`,
      type: 'bind',
      source: etc[file],
      options: ['rbind', 'rprivate', hostConfig.ReadonlyRootfs ? 'ro' : 'rw'],
    })),
  ];
  if (input.initProgram !== undefined) standard.push({ destination: INIT_PATH, type: 'bind', source: input.initProgram, options: ['bind', 'ro'] });
  const own = record.mounts.map((mount) => mountOf(mount, input.sources));
  const taken = new Set(own.map(({ destination }) => destination));
  return [...standard.filter(({ destination }) => !taken.has(destination) && !(taken.has('/dev') && destination.startsWith('/dev/') && hostConfig.Privileged)), ...own];
}

function mountOf(mount: MountPoint, sources: ReadonlyMap<string, string>): OciMount {
  if (mount.type === 'tmpfs') {
    const options = mount.tmpfsOptions === '' ? [] : mount.tmpfsOptions.split(',');
    const access = mount.readOnly ? ['ro'] : [];
    return { destination: mount.destination, type: 'tmpfs', source: 'tmpfs', options: ['noexec', 'nosuid', 'nodev', ...access].filter((option) => !contradicted(option, options)).concat(options) };
  }
  const propagation = mount.propagation === '' ? 'rprivate' : mount.propagation;
  return { destination: mount.destination, type: 'bind', source: sources.get(mount.destination) ?? mount.source, options: ['rbind', propagation, mount.readOnly ? 'ro' : 'rw'] };
}

function contradicted(option: string, options: readonly string[]): boolean {
  return options.includes(option.replace(/^no/, ''));
}

function propagates(list: readonly MountPoint[]): boolean {
  return list.some(({ propagation }) => propagation.endsWith('shared') || propagation.endsWith('slave'));
}

function resources({ record, devices, cgroupVersion }: SpecInput): OciResources {
  const { hostConfig: host } = record;
  const rules: OciDeviceRule[] = host.Privileged
    ? [{ allow: true, access: 'rwm' }]
    : [...BASE_DEVICES, ...devices.map(({ device, access }) => ({ allow: true, type: device.type, major: device.major, minor: device.minor, access })), ...(host.DeviceCgroupRules ?? []).flatMap((rule) => parseDeviceRule(rule) ?? [])];
  return { devices: rules, ...containerLimits(host, cgroupVersion) };
}

/** The cgroup's limits; also for a container that runs. */
export function containerLimits(host: HostConfig, cgroupVersion: 1 | 2): Omit<OciResources, 'devices'> {
  const memory = {
    ...(host.Memory > 0 ? { limit: host.Memory } : {}),
    ...(host.Memory > 0 && host.MemorySwap !== 0 ? { swap: host.MemorySwap } : {}),
    ...(host.MemoryReservation > 0 ? { reservation: host.MemoryReservation } : {}),
    ...(cgroupVersion === 1 && host.MemorySwappiness !== null && host.MemorySwappiness >= 0 ? { swappiness: host.MemorySwappiness } : {}),
    ...(cgroupVersion === 1 && host.OomKillDisable === true ? { disableOOMKiller: true } : {}),
  };
  const quota = host.NanoCpus > 0 ? Math.round((host.NanoCpus * CPU_PERIOD_US) / 1e9) : host.CpuQuota;
  const cpu = {
    ...(host.CpuShares > 0 ? { shares: host.CpuShares } : {}),
    ...(quota > 0 ? { quota, period: host.NanoCpus > 0 || host.CpuPeriod === 0 ? CPU_PERIOD_US : host.CpuPeriod } : {}),
    ...(host.CpusetCpus === '' ? {} : { cpus: host.CpusetCpus }),
    ...(host.CpusetMems === '' ? {} : { mems: host.CpusetMems }),
  };
  return {
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(host.PidsLimit !== null && host.PidsLimit > 0 ? { pids: { limit: host.PidsLimit } } : {}),
    ...(host.BlkioWeight > 0 ? { blockIO: { weight: host.BlkioWeight } } : {}),
  };
}
