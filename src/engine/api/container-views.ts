import { isLive, logPath, namesOf, type ContainerRecord, type HealthState } from '../containers/index.ts';
import { unmadeNetworkId } from './networks.ts';
import { DEFAULT_BRIDGE_ID } from '../network/index.ts';
import type { ApiContext } from './context.ts';

/** Docker's human words: 'Up 2 minutes', 'Exited (0) 3 hours ago'. */
export function statusText({ state }: ContainerRecord, nowMs: number): string {
  const since = (iso: string): string => humanDuration(nowMs - Date.parse(iso));
  switch (state.status) {
    case 'running':
      return `Up ${since(state.startedAt)}${state.health === undefined ? '' : ` (${state.health.status === 'starting' ? 'health: starting' : state.health.status})`}`;
    case 'paused':
      return `Up ${since(state.startedAt)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'exited':
      return `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'created':
      return 'Created';
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
  }
}

/** As Docker rounds: 'Less than a second', '5 seconds', 'About a minute', '3 weeks'. */
export function humanDuration(durationMs: number): string {
  const seconds = Math.floor(durationMs / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.round(minutes / 60);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

function healthView({ status, failingStreak, log }: HealthState): Record<string, unknown> {
  return { Status: status, FailingStreak: failingStreak, Log: log.map(({ start, end, exitCode, output }) => ({ Start: start, End: end, ExitCode: exitCode, Output: output })) };
}

function portList(record: ContainerRecord): Record<string, unknown>[] {
  const leases = record.endpoint.ports.flatMap(({ protocol, containerPort, hostAddress, hostPort }) =>
    hostAddresses(record, hostAddress).map((IP) => ({ IP, PrivatePort: containerPort, PublicPort: hostPort, Type: protocol })),
  );
  const published = new Set(record.endpoint.ports.map(({ protocol, containerPort }) => `${containerPort}/${protocol}`));
  const exposed = isLive(record.state)
    ? Object.keys(record.config.ExposedPorts ?? {}).filter((port) => !published.has(port)).map((port) => ({ PrivatePort: Number.parseInt(port, 10), Type: port.split('/')[1] ?? 'tcp' }))
    : [];
  return [...leases, ...exposed];
}

/** Of all families that the container can be reached by. */
function hostAddresses({ attachments }: ContainerRecord, published: string): string[] {
  if (published !== '') return [published];
  return attachments.some(({ address6 }) => address6 !== undefined) ? ['0.0.0.0', '::'] : ['0.0.0.0'];
}

function networkMode(record: ContainerRecord): string {
  const { NetworkMode } = record.hostConfig;
  return NetworkMode === 'default' ? 'bridge' : NetworkMode;
}

function endpointViews({ containers }: ApiContext, record: ContainerRecord): Record<string, unknown> {
  const live = isLive(record.state);
  const { network } = record.endpoint;
  if (network.startsWith('container:')) return {};
  if (network === 'host' || network === 'none') return { [network]: endpointView({ networkId: unmadeNetworkId(network), endpointId: live ? record.id : '' }) };
  return Object.fromEntries(
    record.attachments.map((attachment) => {
      const known = containers.networks.byId(attachment.networkId);
      const names = known === undefined || known.builtIn ? null : namesOf(record, attachment);
      const asked = {
        ...(attachment.wantedAddress === '' ? {} : { IPv4Address: attachment.wantedAddress }),
        ...(attachment.wantedAddress6 === undefined ? {} : { IPv6Address: attachment.wantedAddress6 }),
        ...(attachment.linkLocalAddresses === undefined ? {} : { LinkLocalIPs: attachment.linkLocalAddresses }),
      };
      const wanted = Object.keys(asked).length === 0 && known?.builtIn !== false ? null : asked;
      return [
        known?.record.name ?? attachment.networkId,
        endpointView({
          networkId: known?.record.id ?? '', endpointId: live ? attachment.endpointId : '', ipam: wanted, mac: attachment.wantedMac, driverOptions: attachment.driverOptions ?? null,
          aliases: known?.builtIn === false && attachment.aliases.length > 0 ? attachment.aliases : null, links: attachment.links ?? null, names,
          ...(live && known?.bridge.ipv6 !== undefined && attachment.address6 !== undefined
            ? { gateway6: known.bridge.options.internal ? '' : known.bridge.ipv6.gateway, prefixLength6: known.bridge.ipv6.prefixLength, address6: attachment.address6 }
            : {}),
          ...(live && known !== undefined ? { gateway: known.bridge.options.internal ? '' : known.bridge.gateway, prefixLength: known.bridge.prefixLength, address: attachment.address, mac: attachment.mac } : {}),
        }),
      ];
    }),
  );
}

/** Docker's notation of links on the default bridge. */
function linkViews({ name, hostConfig }: ContainerRecord): string[] | null {
  return hostConfig.Links?.map((text) => {
    const [container = '', alias = container] = text.split(':').map((part) => part.replace(/^\//, ''));
    return `/${container}:/${name}/${alias}`;
  }) ?? null;
}

interface EndpointFacts {
  networkId: string;
  endpointId: string;
  ipam?: object | null;
  aliases?: string[] | null;
  links?: string[] | null;
  names?: string[] | null;
  driverOptions?: Record<string, string> | null;
  gateway?: string;
  prefixLength?: number;
  address?: string;
  gateway6?: string;
  prefixLength6?: number;
  address6?: string;
  mac?: string;
}

function endpointView({ networkId, endpointId, ipam = null, aliases = null, links = null, names = null, driverOptions = null, gateway = '', prefixLength = 0, address = '', gateway6 = '', prefixLength6 = 0, address6 = '', mac = '' }: EndpointFacts): Record<string, unknown> {
  return {
    IPAMConfig: ipam, Links: links, Aliases: aliases, MacAddress: mac, DriverOpts: driverOptions, NetworkID: networkId, EndpointID: endpointId, Gateway: gateway, IPAddress: address, IPPrefixLen: prefixLength,
    IPv6Gateway: gateway6, GlobalIPv6Address: address6, GlobalIPv6PrefixLen: prefixLength6, DNSNames: names,
  };
}

function mountViews(record: ContainerRecord): Record<string, unknown>[] {
  return record.mounts
    .filter(({ type, mode }) => type !== 'tmpfs' || mode !== '')
    .map((mount) => ({
      Type: mount.type,
      ...(mount.type === 'volume' ? { Name: mount.name } : {}),
      Source: mount.source,
      Destination: mount.destination,
      ...(mount.type === 'volume' ? { Driver: 'local' } : {}),
      Mode: mount.mode,
      RW: !mount.readOnly,
      Propagation: mount.type === 'bind' ? mount.propagation : '',
    }));
}

/** One line of the list. `withSize` walks through the container's own layer. */
export async function containerSummary(context: ApiContext, record: ContainerRecord, withSize: boolean): Promise<Record<string, unknown>> {
  const { system, images, collection } = context.containers;
  const size = withSize ? (await system.files.diskUsage(`${collection.folder(record.id)}/upper`)).sizeBytes : undefined;
  const image = images.find(record.imageName);
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    // The name only while it means the same image.
    Image: image?.id === record.imageId ? record.imageName : record.imageId,
    ImageID: record.imageId,
    Command: record.argv.map((word) => (/[\s"']/.test(word) ? `'${word}'` : word)).join(' '),
    Created: Math.floor(Date.parse(record.created) / 1000),
    Ports: portList(record),
    ...(size === undefined ? {} : { SizeRw: size, SizeRootFs: size + images.sizeBytes(record.imageId) }),
    Labels: record.config.Labels,
    State: record.state.status,
    Status: statusText(record, system.clock.now()),
    HostConfig: { NetworkMode: networkMode(record) },
    NetworkSettings: { Networks: endpointViews(context, record) },
    Mounts: mountViews(record),
  };
}

export async function containerInspect(context: ApiContext, record: ContainerRecord, execIds: readonly string[], withSize: boolean): Promise<Record<string, unknown>> {
  const { containers } = context;
  const { state, endpoint } = record;
  const live = isLive(state);
  const folder = containers.collection.folder(record.id);
  // The old fields speak of the default bridge alone.
  const bridged = live ? record.attachments.find(({ networkId }) => networkId === DEFAULT_BRIDGE_ID) : undefined;
  const bridge = containers.networks.byId(DEFAULT_BRIDGE_ID)?.bridge;
  const size = withSize ? (await containers.system.files.diskUsage(`${folder}/upper`)).sizeBytes : undefined;
  const ports: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  if (live) for (const port of Object.keys(record.config.ExposedPorts ?? {})) ports[port] = null;
  for (const { protocol, containerPort, hostAddress, hostPort } of endpoint.ports) {
    const key = `${containerPort}/${protocol}`;
    ports[key] = [...(ports[key] ?? []), ...hostAddresses(record, hostAddress).map((HostIp) => ({ HostIp, HostPort: String(hostPort) }))];
  }
  return {
    Id: record.id,
    Created: record.created,
    Path: record.argv[0] ?? '',
    Args: record.argv.slice(1),
    State: {
      Status: state.status, Running: live || state.status === 'restarting', Paused: state.status === 'paused', Restarting: state.status === 'restarting', OOMKilled: state.oomKilled,
      Dead: state.status === 'dead', Pid: state.pid, ExitCode: state.exitCode, Error: state.error, StartedAt: state.startedAt, FinishedAt: state.finishedAt,
      ...(state.health === undefined ? {} : { Health: healthView(state.health) }),
    },
    Image: record.imageId,
    ResolvConfPath: `${folder}/resolv.conf`,
    HostnamePath: `${folder}/hostname`,
    HostsPath: `${folder}/hosts`,
    LogPath: record.hostConfig.LogConfig.Type === 'none' ? '' : logPath(containers, record.id),
    Name: `/${record.name}`,
    RestartCount: state.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: execIds.length === 0 ? null : execIds,
    HostConfig: { ...record.hostConfig, NetworkMode: networkMode(record), Runtime: record.hostConfig.Runtime || 'crun', ConsoleSize: [0, 0], Isolation: record.hostConfig.Isolation ?? '', Cgroup: '', Links: linkViews(record), PidsLimit: record.hostConfig.PidsLimit },
    GraphDriver: { Name: 'overlay2', Data: { LowerDir: record.diffIds.toReversed().map((diffId) => `${containers.paths.layers}/${containers.layers.get(diffId)?.folder ?? ''}/diff`).join(':'), MergedDir: `${folder}/rootfs`, UpperDir: `${folder}/upper`, WorkDir: `${folder}/work` } },
    ...(size === undefined ? {} : { SizeRw: size, SizeRootFs: size + containers.images.sizeBytes(record.imageId) }),
    Mounts: mountViews(record),
    Config: { ...record.config, Image: record.imageName },
    NetworkSettings: {
      Bridge: '', SandboxID: live ? record.id : '', SandboxKey: live ? `/proc/${state.pid}/ns/net` : '', Ports: ports, HairpinMode: false, LinkLocalIPv6Address: '', LinkLocalIPv6PrefixLen: 0,
      SecondaryIPAddresses: null, SecondaryIPv6Addresses: null, EndpointID: bridged?.endpointId ?? '', Gateway: bridged === undefined ? '' : (bridge?.gateway ?? ''), GlobalIPv6Address: '', GlobalIPv6PrefixLen: 0,
      IPAddress: bridged?.address ?? '', IPPrefixLen: bridged === undefined ? 0 : (bridge?.prefixLength ?? 0), IPv6Gateway: '', MacAddress: bridged?.mac ?? '', Networks: endpointViews(context, record),
    },
  };
}
