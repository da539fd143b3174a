import { EngineError } from '../error.ts';
import type { Files, System } from '../ports/index.ts';
import { createQueue, readDocument, writeDocument, type OnDamage } from '../store/index.ts';
import { createBridgeNetwork, type BridgeNetwork } from './bridge-network.ts';
import { createFirewall } from './firewall.ts';
import { guardFirewall } from './firewall-guard.ts';
import { parseRoutes, planAddresses, type IpamConfig } from './ipam.ts';
import { planAddresses6 } from './ipam6.ts';
import { formatIpv4, formatSubnet, parseInterfaceAddress, type Subnet } from './ipv4.ts';
import { formatIpv6, formatSubnet6, type Subnet6 } from './ipv6.ts';
import { findLink, removeLink } from './links.ts';
import { createPortBook, type PortLease, type PortRequest } from './port-bindings.ts';

/** A network as it is kept: networks/<id>.json. */
export interface NetworkRecord {
  id: string;
  name: string;
  /** ISO time. */
  created: string;
  internal: boolean;
  attachable: boolean;
  labels: Record<string, string>;
  options: Record<string, string>;
  ipam: { Driver: string; Options: Record<string, string> | null; Config: IpamConfig[] };
  /** It has IPv6 addresses too: those of the subnet with colons. */
  ipv6?: boolean;
  /** The user chose the subnet, and so may choose addresses in it. */
  ownSubnet: boolean;
  ownSubnet6?: boolean;
  /** The bridge was there before the network, and stays when it goes. */
  foundBridge?: boolean;
}

export type NetworkRequest = Omit<NetworkRecord, 'id' | 'created' | 'ownSubnet' | 'ownSubnet6' | 'foundBridge'>;

export interface Network {
  record: NetworkRecord;
  bridge: BridgeNetwork;
  /** The default bridge: not kept, not removed, without names. */
  builtIn: boolean;
}

export interface NetworksOptions {
  folder: string;
  nft: string;
  table: string;
  forward: boolean;
  mtu: number | undefined;
  /** Undefined when the daemon runs without one. */
  defaultBridge: { name: string; address: string; masquerade: boolean } | undefined;
  created: string;
}

export interface Networks {
  /** The default bridge first. */
  all(): Network[];
  /** By id, name, or unique prefix of an id. */
  find(text: string): Network | undefined;
  byId(id: string): Network | undefined;
  create(request: NetworkRequest, created: string): Promise<Network>;
  /** Throws 'forbidden' when `inUse` holds at the moment of removal. */
  remove(network: Network, inUse: () => boolean): Promise<void>;
  /** Makes or completes bridges, forwarding and rules; from then on rules that somebody removes come back. */
  restore(): Promise<void>;
  /** Host ports for a container, all or none. */
  leasePorts(owner: string, requests: readonly PortRequest[]): PortLease[];
  adoptPorts(owner: string, ports: readonly PortLease[]): void;
  /** Leads its ports to this address. */
  publish(owner: string, ports: readonly PortLease[], address: string, address6: string): Promise<void>;
  withdraw(owner: string): Promise<void>;
  releasePorts(owner: string): Promise<void>;
}

/** The default bridge has an id that never changes. */
export const DEFAULT_BRIDGE_ID = 'b1'.padEnd(64, '0');
export const OPTION = {
  name: 'com.docker.network.bridge.name', icc: 'com.docker.network.bridge.enable_icc', masquerade: 'com.docker.network.bridge.enable_ip_masquerade', mtu: 'com.docker.network.driver.mtu',
  hostAddress: 'com.docker.network.bridge.host_binding_ipv4', isDefault: 'com.docker.network.bridge.default_bridge',
};
const REMOVED = '.removed';
/** Interface names have at most 15 characters. */
const BRIDGE_NAME = /^[^\s/:]{1,15}$/;

export function openNetworks(system: System, options: NetworksOptions, onDamage: OnDamage): Networks {
  const { files, sockets, reporter } = system;
  const networks = new Map<string, Network>();
  const queue = createQueue();
  const document = (id: string): string => `${options.folder}/${id}.json`;
  const portBook = createPortBook((address, port) => sockets.reserve(address, port));
  const firewall = createFirewall(system, options.nft, options.table, () =>
    [...networks.values()].map(({ bridge }) => ({ name: bridge.options.name, subnet: bridge.subnet, subnet6: bridge.ipv6?.subnet, masquerade: bridge.options.masquerade, internal: bridge.options.internal })),
  );

  const enter = (record: NetworkRecord, subnets: readonly Subnet[], subnets6: readonly Subnet6[]): Network => {
    const { four, six } = poolsOf(record.ipam.Config);
    const addresses = planAddresses(four, [], subnets);
    const addresses6 = record.ipv6 === true ? planAddresses6(six, record.id, subnets6) : undefined;
    const network: Network = {
      record,
      builtIn: false,
      bridge: createBridgeNetwork(system, {
        name: bridgeName(record), addresses, addresses6, internal: record.internal, icc: record.options[OPTION.icc] !== 'false', masquerade: record.options[OPTION.masquerade] !== 'false',
        mtu: record.options[OPTION.mtu] === undefined ? options.mtu : Number(record.options[OPTION.mtu]),
      }),
    };
    networks.set(record.id, network);
    return network;
  };
  const hasIpv6 = (): boolean => [...networks.values()].some(({ bridge }) => bridge.ipv6 !== undefined);
  let guarded = false;
  const guard = (): void => {
    if (!guarded) guardFirewall(system, options.table, hasIpv6, firewall.restore);
    guarded = true;
  };
  const subnets = (): Subnet[] => [...networks.values()].map(({ bridge }) => bridge.options.addresses.subnet);
  const subnets6 = (): Subnet6[] => [...networks.values()].flatMap(({ bridge }) => bridge.options.addresses6?.subnet ?? []);
  const forward = (): void => {
    if (!options.forward) return;
    files.writeText('/proc/sys/net/ipv4/ip_forward', '1');
    if (hasIpv6()) forwardIpv6(files);
  };

  if (options.defaultBridge !== undefined) {
    const network = defaultNetwork(system, options.defaultBridge, options);
    networks.set(network.record.id, network);
  }
  for (const { name } of files.readdir(options.folder)) {
    if (!name.endsWith('.json')) continue;
    try {
      enter(readDocument<NetworkRecord>(files, `${options.folder}/${name}`), [], []);
    } catch (error) {
      onDamage(`${options.folder}/${name}`, error);
    }
  }

  return {
    all: () => [...networks.values()],
    byId: (id) => networks.get(id),
    find(text) {
      const exact = networks.get(text) ?? [...networks.values()].find(({ record }) => record.name === text);
      if (exact !== undefined) return exact;
      const matches = /^[0-9a-f]{2,63}$/.test(text) ? [...networks.values()].filter(({ record }) => record.id.startsWith(text)) : [];
      if (matches.length > 1) throw new EngineError('invalid', 'NETWORK_AMBIGUOUS', `network ${text} is ambiguous (${matches.length} matches found based on ID prefix)`);
      return matches[0];
    },
    create: (request, created) =>
      queue(async () => {
        if ([...networks.values()].some(({ record }) => record.name === request.name)) throw new EngineError('conflict', 'NETWORK_EXISTS', `network with name ${request.name} already exists`);
        const { four: wanted, six: wanted6 } = poolsOf(request.ipam.Config);
        const plan = planAddresses(wanted, parseRoutes(files.readText('/proc/net/route')), subnets());
        const config = { ...wanted, Subnet: formatSubnet(plan.subnet), Gateway: formatIpv4(plan.gateway) };
        const id = system.machine.randomHex(32);
        const plan6 = request.ipv6 === true ? planAddresses6(wanted6, id, subnets6()) : undefined;
        const config6 = plan6 === undefined ? request.ipam.Config.filter((pool) => pool === wanted6) : [{ ...wanted6, Subnet: formatSubnet6(plan6.subnet), Gateway: formatIpv6(plan6.gateway) }];
        const record: NetworkRecord = {
          ...request, id, created, ...(plan6 !== undefined && (wanted6.Subnet ?? '') !== '' ? { ownSubnet6: true } : {}), ownSubnet: (wanted.Subnet ?? '') !== '', ipam: { ...request.ipam, Config: [config, ...config6] },
        };
        const name = bridgeName(record);
        if (!BRIDGE_NAME.test(name)) throw new EngineError('invalid', 'BRIDGE_NAME', `invalid bridge name ${JSON.stringify(name)}: it has more than 15 characters, or blanks, colons or slashes`);
        if ([...networks.values()].some(({ bridge }) => bridge.options.name === name)) throw new EngineError('forbidden', 'BRIDGE_TAKEN', `a network uses the bridge ${name} already`);
        const link = findLink(system.netlink, name);
        if (link !== undefined && link.kind !== 'bridge') throw new EngineError('invalid', 'BRIDGE_NAME', `the interface ${name} is there already and is no bridge`);
        if (link !== undefined) record.foundBridge = true;
        const network = enter(record, subnets(), subnets6());
        try {
          // Kept first: a bridge that a crash leaves behind always belongs to a network.
          await writeDocument(files, document(record.id), record);
          network.bridge.up();
          forward();
          await firewall.restore();
          guard();
        } catch (error) {
          networks.delete(record.id);
          if (files.exists(document(record.id))) files.unlink(document(record.id));
          if (record.foundBridge !== true) network.bridge.down();
          throw error;
        }
        return network;
      }),
    remove: (network, inUse) =>
      queue(async () => {
        const { id, name, foundBridge } = network.record;
        if (!networks.has(id)) throw new EngineError('not-found', 'NETWORK_UNKNOWN', `network ${name} not found`);
        if (inUse()) throw new EngineError('forbidden', 'NETWORK_IN_USE', `error while removing network: network ${name} id ${id} has active endpoints`);
        // From here on it is gone, also after a crash; the next start takes the bridge away.
        files.rename(document(id), `${document(id)}${REMOVED}`);
        networks.delete(id);
        await files.syncDirectory(options.folder);
        if (foundBridge !== true) network.bridge.down();
        await firewall.restore();
        files.unlink(`${document(id)}${REMOVED}`);
      }),
    async restore() {
      for (const { name } of files.readdir(options.folder)) {
        if (!name.endsWith(REMOVED)) continue;
        const path = `${options.folder}/${name}`;
        try {
          const record = readDocument<NetworkRecord>(files, path);
          const bridge = bridgeName(record);
          if (record.foundBridge !== true && [...networks.values()].every((other) => other.bridge.options.name !== bridge)) removeLink(system.netlink, bridge);
        } catch (error) {
          onDamage(path, error);
        }
        files.unlink(path);
      }
      for (const { bridge, builtIn, record } of networks.values()) {
        try {
          bridge.up();
        } catch (error) {
          if (builtIn) throw error;
          reporter.log('error', 'a network could not be put up', { network: record.name, error: String(error) });
        }
      }
      forward();
      await firewall.restore();
      guard();
    },
    leasePorts: (owner, requests) => portBook.lease(owner, requests),
    adoptPorts(owner, ports) {
      for (const port of ports) {
        try {
          portBook.lease(owner, [{ ...port, firstHostPort: port.hostPort, lastHostPort: port.hostPort }]);
        } catch {
          // Somebody took it while no daemon held it. The rule still leads to the container.
          reporter.log('warn', 'the host port of a running container is in use', { container: owner, port: port.hostPort });
        }
      }
    },
    publish: (owner, ports, address, address6) => firewall.publish(owner, ports.map((port) => ({ ...port, containerAddress: address, containerAddress6: address6 }))),
    withdraw: (owner) => firewall.withdraw(owner),
    async releasePorts(owner) {
      portBook.release(owner);
      await firewall.withdraw(owner);
    },
  };
}

function poolsOf(configs: readonly IpamConfig[]): { four: IpamConfig; six: IpamConfig } {
  const isSix = ({ Subnet = '' }: IpamConfig): boolean => Subnet.includes(':');
  return { four: configs.find((config) => !isSix(config)) ?? {}, six: configs.find(isSix) ?? {} };
}

/** An interface that has its routes from a router's advertisements would lose them as soon as the host forwards, unless it is told otherwise. */
function forwardIpv6(files: Files): void {
  const folder = '/proc/sys/net/ipv6/conf';
  if (files.readText(`${folder}/all/forwarding`).trim() === '1') return;
  for (const { name } of files.readdir(folder)) {
    const path = `${folder}/${name}/accept_ra`;
    if (files.readText(path).trim() === '1') files.writeText(path, '2');
  }
  files.writeText(`${folder}/all/forwarding`, '1');
}

function bridgeName({ id, options }: NetworkRecord): string {
  return options[OPTION.name] ?? `br-${id.slice(0, 12)}`;
}

function defaultNetwork(system: System, bridge: { name: string; address: string; masquerade: boolean }, { mtu, created }: NetworksOptions): Network {
  const { address, subnet } = parseInterfaceAddress(bridge.address);
  return {
    builtIn: true,
    bridge: createBridgeNetwork(system, { name: bridge.name, addresses: { subnet, gateway: address, range: subnet, reserved: [] }, addresses6: undefined, mtu, masquerade: bridge.masquerade, internal: false, icc: true }),
    record: {
      id: DEFAULT_BRIDGE_ID, name: 'bridge', created, internal: false, attachable: false, labels: {}, ownSubnet: false,
      ipam: { Driver: 'default', Options: null, Config: [{ Subnet: formatSubnet(subnet), Gateway: formatIpv4(address) }] },
      options: {
        [OPTION.isDefault]: 'true', [OPTION.icc]: 'true', [OPTION.hostAddress]: '0.0.0.0', [OPTION.masquerade]: String(bridge.masquerade), [OPTION.name]: bridge.name, [OPTION.mtu]: String(mtu ?? 1500),
      },
    },
  };
}
