import { capabilityList } from '../cli/create/capabilities.ts';
import { parseDevice } from '../cli/create/device-spec.ts';
import { parsePorts } from '../cli/create/port-spec.ts';
import { parseRestartPolicy } from '../cli/create/restart-policy.ts';
import type { Draft } from './draft.ts';
import { readEnvFile } from './env-file.ts';
import type { Field } from './field.ts';
import { canonical, type Condition, type EndpointDraft, type RestartPolicy, type Service, type SharedSpace } from './project.ts';
import { readSharedFiles, readTmpfs, readVolumes } from './read-mounts.ts';
import { pathOf, type ReadContext } from './surroundings.ts';

const NO_RESTART: RestartPolicy = { Name: 'no', MaximumRetryCount: 0 };

type Read = (field: Field, draft: Draft, context: ReadContext) => void;

/** A key that becomes one of the request's. */
const to = <T>(part: 'config' | 'host', name: string, read: (field: Field) => T): Read => (field, draft) => {
  const value = read(field);
  if (value !== undefined) draft[part][name] = value;
};
const text = (field: Field) => field.text();
const texts = (field: Field) => field.texts();
const flag = (field: Field) => field.flag();
const integer = (field: Field) => field.integer();
const bytes = (field: Field) => field.bytes();
const nothing: Read = () => undefined;
const unsupported = (why: string): Read => (field) => field.fail(why);
const leftOut = (why: string): Read => (field) => field.warn(`left out: ${why}`);

const KEYS: Readonly<Record<string, Read>> = {
  image: (field, { service }) => void (service.image = field.text() ?? ''),
  build: (field) => (field.warn('left out: images are not built here, the one that `image` names is pulled')),
  platform: (field, { service }) => void (service.platform = field.text() ?? ''),
  pull_policy: readPullPolicy,
  container_name: (field, { service }) => void Object.assign(service, { containerName: field.text() }),
  scale: (field, { service }) => void (service.replicas = field.integer() ?? 1),
  deploy: readDeploy,
  command: to('config', 'Cmd', (field) => field.words()),
  entrypoint: to('config', 'Entrypoint', (field) => field.words()),
  environment: nothing,
  env_file: nothing,
  user: to('config', 'User', text),
  working_dir: to('config', 'WorkingDir', text),
  hostname: to('config', 'Hostname', text),
  domainname: to('config', 'Domainname', text),
  mac_address: to('config', 'MacAddress', text),
  tty: to('config', 'Tty', flag),
  stdin_open: to('config', 'OpenStdin', flag),
  labels: to('config', 'Labels', (field) => field.labels()),
  stop_signal: to('config', 'StopSignal', text),
  stop_grace_period: to('config', 'StopTimeout', (field) => Math.floor((field.nanoseconds() ?? 10e9) / 1e9)),
  healthcheck: readHealthcheck,
  ports: readPorts,
  expose: nothing,
  volumes: readVolumes,
  tmpfs: readTmpfs,
  configs: (field, draft, { configs }) => readSharedFiles(field, draft, 'config', configs),
  secrets: (field, draft, { secrets }) => readSharedFiles(field, draft, 'secret', secrets),
  volumes_from: readVolumesFrom,
  networks: nothing,
  network_mode: nothing,
  links: readLinks,
  depends_on: readDependsOn,
  restart: (field, draft) => {
    const word = field.text() ?? 'no';
    const policy = parseRestartPolicy(word);
    if (policy === null || !['no', 'always', 'unless-stopped', 'on-failure'].includes(policy.Name)) return field.fail('no, always, unless-stopped or on-failure[:N]');
    draft.host['RestartPolicy'] = policy;
    return undefined;
  },
  privileged: to('host', 'Privileged', flag),
  read_only: to('host', 'ReadonlyRootfs', flag),
  init: to('host', 'Init', flag),
  cap_add: to('host', 'CapAdd', (field) => capabilityList(field.texts())),
  cap_drop: to('host', 'CapDrop', (field) => capabilityList(field.texts())),
  security_opt: readSecurity,
  devices: to('host', 'Devices', (field) => field.items().flatMap((item) => (item.isMap ? [{ PathOnHost: item.get('source')?.text(), PathInContainer: item.get('target')?.text() ?? item.get('source')?.text(), CgroupPermissions: item.get('permissions')?.text() ?? 'rwm' }] : item.attempt(() => parseDevice(item.text() ?? '')) ?? []))),
  device_cgroup_rules: to('host', 'DeviceCgroupRules', texts),
  dns: to('host', 'Dns', texts),
  dns_opt: to('host', 'DnsOptions', texts),
  dns_search: to('host', 'DnsSearch', texts),
  extra_hosts: to('host', 'ExtraHosts', readExtraHosts),
  group_add: to('host', 'GroupAdd', texts),
  sysctls: to('host', 'Sysctls', (field) => field.labels()),
  ulimits: to('host', 'Ulimits', (field) => field.entries().map(([Name, limit]) => {
    const only = limit.isMap ? undefined : limit.integer();
    return { Name, Soft: only ?? limit.get('soft')?.integer() ?? 0, Hard: only ?? limit.get('hard')?.integer() ?? 0 };
  })),
  shm_size: to('host', 'ShmSize', bytes),
  mem_limit: to('host', 'Memory', bytes),
  memswap_limit: to('host', 'MemorySwap', bytes),
  mem_reservation: to('host', 'MemoryReservation', bytes),
  mem_swappiness: to('host', 'MemorySwappiness', integer),
  cpus: to('host', 'NanoCpus', nanoCpus),
  cpu_shares: to('host', 'CpuShares', integer),
  cpu_quota: to('host', 'CpuQuota', integer),
  cpu_period: to('host', 'CpuPeriod', integer),
  cpuset: to('host', 'CpusetCpus', text),
  pids_limit: to('host', 'PidsLimit', integer),
  oom_kill_disable: to('host', 'OomKillDisable', flag),
  oom_score_adj: to('host', 'OomScoreAdj', integer),
  blkio_config: (field, { host }) => void (host['BlkioWeight'] = field.only('weight').get('weight')?.integer() ?? 0),
  logging: (field, { host }) => {
    const driver = field.only('driver', 'options').get('driver');
    const Type = driver?.text() ?? 'json-file';
    if (!['json-file', 'local', 'none'].includes(Type)) driver?.fail(`the engine has no log driver ${Type}: json-file, local or none`);
    host['LogConfig'] = { Type, Config: field.get('options')?.labels() ?? {} };
  },
  pid: (field, draft, context) => readSpace('pid', field, draft, context),
  ipc: (field, draft, context) => readSpace('ipc', field, draft, context),
  uts: to('host', 'UTSMode', text),
  userns_mode: to('host', 'UsernsMode', text),
  cgroup: to('host', 'CgroupnsMode', text),
  cgroup_parent: to('host', 'CgroupParent', text),
  runtime: to('host', 'Runtime', text),
  isolation: to('host', 'Isolation', text),
  profiles: nothing,
  attach: nothing,
  develop: nothing,
  annotations: leftOut('the engine keeps no annotations'),
  extends: unsupported('not supported: use anchors and <<'),
  credential_spec: unsupported('for Windows'),
  external_links: unsupported('not supported: use a network that both share'),
  gpus: unsupported('not supported: use devices'),
  label_file: unsupported('not supported: use labels'),
  post_start: unsupported('not supported'),
  pre_stop: unsupported('not supported'),
  provider: unsupported('not supported'),
  storage_opt: unsupported('the engine limits no containers\' disk space'),
  use_api_socket: unsupported('not supported: bind /run/minke.sock'),
};

/** Reads one service. What is wrong with it is noted. */
export function readService(name: string, field: Field, context: ReadContext): Service {
  const draft: Draft = {
    config: {}, host: {}, binds: [], mounts: [], anonymous: {}, contents: [], dependsOn: new Map(), shares: {},
    service: { platform: '', pull: 'missing', replicas: 1, networks: null, networkMode: '', volumesFrom: [], links: [], restart: NO_RESTART },
  };
  for (const [key, value] of field.entries()) {
    const read = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (read !== undefined) read(value, draft, context);
    else if (!key.startsWith('x-')) value.fail('there is no such key of a service');
  }
  readEnvironment(field, draft, context);
  readNetworks(field, draft, context);
  const { service, config, host } = draft;
  if (service.image === undefined) (field.get('build') ?? field).fail('names no image: images are not built here, but pulled');
  if (service.replicas < 0) field.get('scale')?.fail('less than nothing');
  if (service.containerName !== undefined && service.replicas > 1) field.get('container_name')?.fail('only one container can have this name, and several are wanted');
  if (draft.binds.length > 0) host['Binds'] = draft.binds;
  if (draft.mounts.length > 0) host['Mounts'] = draft.mounts;
  if (Object.keys(draft.anonymous).length > 0) config['Volumes'] = draft.anonymous;
  const expose = field.get('expose')?.texts() ?? [];
  const exposed = field.get('expose')?.attempt(() => parsePorts([], expose).exposed) ?? {};
  config['ExposedPorts'] = { ...(config['ExposedPorts'] as object | undefined), ...exposed };
  const { shares } = draft;
  const restart = (host['RestartPolicy'] ?? NO_RESTART) as RestartPolicy;
  const made = { ...service, image: service.image ?? '', name, restart, dependsOn: [...draft.dependsOn.values()].toSorted((a, b) => (a.service < b.service ? -1 : 1)), draft: { config: { ...config, Labels: (config['Labels'] as Record<string, string> | undefined) ?? {} }, host }, shares };
  // How many there are, and how their image comes, makes no container another one.
  const { replicas: _replicas, pull: _pull, dependsOn: _dependsOn, ...shape } = made;
  return { ...made, hash: context.surroundings.hash(canonical([shape, draft.contents])) };
}

function nanoCpus(field: Field): number | undefined {
  const count = field.number();
  return count === undefined ? undefined : Math.round(count * 1e9);
}

function readPullPolicy(field: Field, { service }: Draft): void {
  const word = field.text();
  if (word === 'always' || word === 'never') service.pull = word;
  else if (word !== 'missing' && word !== 'if_not_present') field.warn('counts as missing: always, missing and never are the ones there are');
}

function readDeploy(field: Field, draft: Draft): void {
  const { service, host } = draft;
  field.only('replicas', 'resources', 'restart_policy', 'mode', 'labels', 'placement', 'update_config', 'rollback_config', 'endpoint_mode');
  for (const key of ['labels', 'placement', 'update_config', 'rollback_config', 'endpoint_mode']) field.get(key)?.warn('left out: it belongs to swarm mode');
  const mode = field.get('mode')?.text() ?? 'replicated';
  if (mode !== 'replicated') field.get('mode')?.fail('belongs to swarm mode');
  const replicas = field.get('replicas')?.integer();
  if (replicas !== undefined) service.replicas = replicas;
  const resources = field.get('resources')?.only('limits', 'reservations');
  const limits = resources?.get('limits')?.only('cpus', 'memory', 'pids');
  const reservations = resources?.get('reservations')?.only('cpus', 'memory', 'devices', 'generic_resources');
  reservations?.get('devices')?.fail('not supported: use devices of the service');
  const values = { NanoCpus: limits?.get('cpus') && nanoCpus(limits.get('cpus') ?? limits), Memory: limits?.get('memory')?.bytes(), PidsLimit: limits?.get('pids')?.integer(), MemoryReservation: reservations?.get('memory')?.bytes() };
  for (const [key, value] of Object.entries(values)) if (value !== undefined) host[key] = value;
  const policy = field.get('restart_policy')?.only('condition', 'max_attempts', 'delay', 'window');
  if (policy === undefined) return;
  const condition = policy.get('condition')?.text() ?? 'any';
  const Name = { none: 'no', 'on-failure': 'on-failure', any: 'always' }[condition];
  if (Name === undefined) policy.fail('the condition is none, on-failure or any');
  host['RestartPolicy'] ??= { Name, MaximumRetryCount: Name === 'on-failure' ? policy.get('max_attempts')?.integer() ?? 0 : 0 };
}

function readEnvironment(field: Field, draft: Draft, { surroundings, variable }: ReadContext): void {
  const variables = new Map<string, string | null>();
  const file = field.get('env_file');
  for (const item of file === undefined ? [] : file.isList ? file.items() : [file]) {
    if (item.isMap) item.only('path', 'required', 'format');
    const path = pathOf(item, (item.isMap ? item.get('path') ?? item : item).text() ?? '', surroundings.folder) ?? '';
    const content = item.attempt(() => surroundings.readText(path));
    if (content !== undefined) item.attempt(() => {
      for (const [name, value] of readEnvFile(content, variable, item.get('format')?.text() === 'raw')) variables.set(name, value);
    });
    else if (item.get('required')?.flag() ?? true) item.fail(`there is no file ${path}`);
  }
  for (const [name, value] of field.get('environment')?.pairs() ?? []) variables.set(name, value);
  // A name alone takes the value from around the file, and goes when there is none.
  const list = [...variables].flatMap(([name, value]) => (value ?? variable(name)) === undefined ? [] : `${name}=${value ?? variable(name) ?? ''}`).toSorted();
  if (list.length > 0) draft.config['Env'] = list;
}

function readHealthcheck(field: Field, draft: Draft): void {
  field.only('test', 'interval', 'timeout', 'retries', 'start_period', 'start_interval', 'disable');
  const test = field.get('test');
  const Test = field.get('disable')?.flag() === true ? ['NONE'] : test === undefined ? undefined : test.isList ? test.texts() : ['CMD-SHELL', test.text() ?? ''];
  if (Test !== undefined && !['NONE', 'CMD', 'CMD-SHELL'].includes(Test[0] ?? '')) test?.fail('the first word is CMD, CMD-SHELL or NONE');
  draft.config['Healthcheck'] = {
    Test, Interval: field.get('interval')?.nanoseconds(), Timeout: field.get('timeout')?.nanoseconds(), Retries: field.get('retries')?.integer(),
    StartPeriod: field.get('start_period')?.nanoseconds(), StartInterval: field.get('start_interval')?.nanoseconds(),
  };
}

function readPorts(field: Field, draft: Draft): void {
  const specs = field.items().flatMap((item) => {
    if (!item.isMap) return item.text() ?? [];
    item.only('target', 'published', 'host_ip', 'protocol', 'mode', 'name', 'app_protocol');
    const ip = item.get('host_ip')?.text() ?? '';
    const target = item.get('target')?.text() ?? item.fail('names no target') ?? '';
    return `${ip === '' ? '' : `${ip.includes(':') ? `[${ip}]` : ip}:`}${item.get('published')?.text() ?? ''}:${target}/${item.get('protocol')?.text() ?? 'tcp'}`;
  });
  const ports = field.attempt(() => parsePorts(specs, []));
  draft.config['ExposedPorts'] = ports?.exposed;
  draft.host['PortBindings'] = ports?.bindings;
}

function readSecurity(field: Field, draft: Draft, { surroundings }: ReadContext): void {
  draft.host['SecurityOpt'] = field.items().flatMap((item) => {
    const option = item.text() ?? '';
    const file = /^seccomp[:=](?!unconfined$)(.+)$/.exec(option)?.[1];
    if (file === undefined) return option;
    const path = pathOf(item, file, surroundings.folder) ?? '';
    const profile = item.attempt(() => surroundings.readText(path)) ?? item.fail(`there is no file ${path}`);
    return profile === undefined ? [] : `seccomp=${profile}`;
  });
}

function readExtraHosts(field: Field): string[] {
  if (!field.isList) return field.entries().flatMap(([name, value]) => value.texts().map((address) => `${name}:${address.replace(/^\[(.*)\]$/, '$1')}`));
  return field.texts().map((entry) => {
    const separator = /[=:]/.exec(entry)?.index ?? field.fail(`${entry} is not NAME:ADDRESS`) ?? 0;
    return `${entry.slice(0, separator)}:${entry.slice(separator + 1).replace(/^\[(.*)\]$/, '$1')}`;
  });
}

/** Whose network, processes or shared memory a service uses. */
function readSpace(space: SharedSpace, field: Field, draft: Draft, context: ReadContext): void {
  const word = field.text() ?? '';
  const other = /^service:(.+)$/.exec(word)?.[1];
  if (other !== undefined) {
    if (needs(field, draft, other, context)) draft.shares[space] = other;
  } else if (space === 'network') draft.service.networkMode = word;
  else draft.host[space === 'pid' ? 'PidMode' : 'IpcMode'] = word;
}

/** Whether the file has another service, which then has to be there first. */
function needs(field: Field, draft: Draft, service: string, { serviceNames }: ReadContext): boolean {
  if (!serviceNames.has(service)) field.fail(`there is no service ${service}`);
  else if (!draft.dependsOn.has(service)) draft.dependsOn.set(service, { service, condition: 'service_started', required: true, restart: true });
  return serviceNames.has(service);
}

function readVolumesFrom(field: Field, draft: Draft, context: ReadContext): void {
  for (const item of field.items()) {
    const word = item.text() ?? '';
    if (word.startsWith('container:') || needs(item, draft, word.split(':', 1)[0] ?? '', context)) draft.service.volumesFrom.push(word);
  }
}

function readLinks(field: Field, draft: Draft, context: ReadContext): void {
  for (const item of field.items()) {
    const [service = '', alias = service] = (item.text() ?? '').split(':');
    if (needs(item, draft, service, context)) draft.service.links.push([service, alias]);
  }
}

const CONDITIONS: readonly string[] = ['service_started', 'service_healthy', 'service_completed_successfully'] satisfies Condition[];

function readDependsOn(field: Field, draft: Draft, context: ReadContext): void {
  const named = field.isList ? field.items().flatMap((item): [string, Field][] => [[item.text() ?? '', item]]) : field.entries();
  for (const [service, item] of named) {
    if (item.isMap) item.only('condition', 'required', 'restart');
    const condition = item.get('condition')?.text() ?? 'service_started';
    if (!CONDITIONS.includes(condition)) item.fail(`the condition is ${CONDITIONS.join(', ')}`);
    const required = item.get('required')?.flag() ?? true;
    if (!context.serviceNames.has(service)) {
      if (required) item.fail(`there is no service ${service}`);
    } else draft.dependsOn.set(service, { service, condition: condition as Condition, required, restart: item.get('restart')?.flag() ?? false });
  }
}

function readNetworks(field: Field, draft: Draft, context: ReadContext): void {
  const { service, config } = draft;
  const mode = field.get('network_mode');
  const list = field.get('networks');
  if (mode !== undefined) {
    readSpace('network', mode, draft, context);
    if (list !== undefined) mode.fail('and networks exclude each other');
    return;
  }
  const named: [string, Field | undefined][] = list === undefined ? [['default', undefined]] : list.isList ? list.items().map((item) => [item.text() ?? '', undefined]) : list.entries();
  const ranked = named.map(([key, item]) => ({ key, item, priority: item?.get('priority')?.integer() ?? 0 })).toSorted((a, b) => b.priority - a.priority || (a.key < b.key ? -1 : 1));
  const networks: Record<string, EndpointDraft> = {};
  for (const { key, item } of ranked) {
    const network = context.networks.get(key);
    if (network === undefined) {
      (item ?? list)?.fail(`there is no network ${key} among the networks of the file`);
      continue;
    }
    item?.only('aliases', 'ipv4_address', 'ipv6_address', 'link_local_ips', 'mac_address', 'priority', 'gw_priority', 'driver_opts');
    const [IPv4Address, IPv6Address, LinkLocalIPs] = [item?.get('ipv4_address')?.text(), item?.get('ipv6_address')?.text(), item?.get('link_local_ips')?.texts()];
    const MacAddress = item?.get('mac_address')?.text() ?? (config['MacAddress'] as string | undefined);
    const DriverOpts = item?.get('driver_opts')?.labels();
    networks[network.name] = {
      Aliases: item?.get('aliases')?.texts() ?? [],
      ...(IPv4Address ?? IPv6Address ?? LinkLocalIPs ? { IPAMConfig: { ...(IPv4Address === undefined ? {} : { IPv4Address }), ...(IPv6Address === undefined ? {} : { IPv6Address }), ...(LinkLocalIPs === undefined ? {} : { LinkLocalIPs }) } } : {}),
      ...(MacAddress === undefined ? {} : { MacAddress }), ...(DriverOpts === undefined ? {} : { DriverOpts }),
    };
  }
  service.networks = networks;
  service.networkMode = Object.keys(networks)[0] ?? 'none';
}
