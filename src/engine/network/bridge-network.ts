import { EngineError } from '../error.ts';
import type { System } from '../ports/index.ts';
import { createAddressPool } from './address-pool.ts';
import { createFirewall, type Firewall } from './firewall.ts';
import { formatIpv4, formatSubnet, parseInterfaceAddress, parseIpv4 } from './ipv4.ts';
import { connectEndpoint, ensureBridge, macFor, removeLink } from './links.ts';
import type { PublishedPort } from './nft-ruleset.ts';
import { createPortBook, type PortLease, type PortRequest } from './port-bindings.ts';

export interface BridgeOptions {
  name: string;
  /** 'a.b.c.d/n': the host's own address on the bridge. */
  address: string;
  mtu: number | undefined;
  masquerade: boolean;
  forward: boolean;
  nft: string;
  table: string;
}

export interface EndpointLease {
  address: string;
  mac: string;
  ports: PortLease[];
}

export interface BridgeNetwork {
  readonly options: BridgeOptions;
  readonly gateway: string;
  readonly subnet: string;
  readonly prefixLength: number;
  /** Makes or completes bridge, forwarding and rules. */
  restore(): Promise<void>;
  /** Address and host ports for a container that is about to start; `wanted` is the address it had before. */
  lease(owner: string, ports: readonly PortRequest[], wanted: string): EndpointLease;
  /** Takes note of a container that has been running all along. */
  adopt(owner: string, lease: EndpointLease): void;
  connect(owner: string, lease: EndpointLease, pid: number): void;
  publish(owner: string, lease: EndpointLease): Promise<void>;
  /** Everything that `owner` has goes back. */
  release(owner: string, lease: EndpointLease): Promise<void>;
}

export function createBridgeNetwork(system: System, options: BridgeOptions): BridgeNetwork {
  const { netlink, files, processes, sockets, reporter } = system;
  const { address: gateway, subnet } = parseInterfaceAddress(options.address);
  const pool = createAddressPool(subnet, gateway);
  const ports = createPortBook((address, port) => sockets.reserve(address, port));
  const firewall: Firewall = createFirewall(processes, options.nft, { table: options.table, bridge: options.name, subnet: formatSubnet(subnet), masquerade: options.masquerade });
  let lastIndex: number | undefined;

  /** Looks each time: a bridge that somebody took away is made again, and what hangs on it set again. */
  const up = (): number => {
    const index = ensureBridge(netlink, options.name, gateway, subnet);
    if (index !== lastIndex) {
      // Local clients reach published ports on 127.0.0.1 through the bridge; the raw chain keeps containers away from it.
      files.writeText(`/proc/sys/net/ipv4/conf/${options.name}/route_localnet`, '1');
      lastIndex = index;
    }
    return index;
  };

  return {
    options,
    gateway: formatIpv4(gateway),
    subnet: formatSubnet(subnet),
    prefixLength: subnet.prefixLength,
    async restore() {
      lastIndex = undefined;
      up();
      if (options.forward) files.writeText('/proc/sys/net/ipv4/ip_forward', '1');
      await firewall.restore();
    },
    lease(owner, requests, wanted) {
      const address = pool.lend(wanted === '' ? undefined : parseIpv4(wanted));
      try {
        return { address: formatIpv4(address), mac: macFor(address), ports: ports.lease(owner, requests) };
      } catch (error) {
        pool.giveBack(address);
        throw error;
      }
    },
    adopt(owner, lease) {
      const address = parseIpv4(lease.address);
      if (address === undefined || !pool.claim(address)) reporter.log('warn', 'a running container has an address that is not free', { container: owner, address: lease.address });
      for (const port of lease.ports) {
        try {
          ports.lease(owner, [{ ...port, firstHostPort: port.hostPort, lastHostPort: port.hostPort }]);
        } catch {
          // Somebody took it while no daemon held it. The rule still leads to the container.
          reporter.log('warn', 'the host port of a running container is in use', { container: owner, port: port.hostPort });
        }
      }
    },
    connect(owner, lease, pid) {
      const address = parseIpv4(lease.address);
      if (address === undefined) throw new EngineError('internal', 'ADDRESS_INVALID', `invalid address ${lease.address}`);
      connectEndpoint(netlink, { hostName: hostLinkName(owner), bridgeIndex: up(), mtu: options.mtu, address, subnet, gateway, pid });
    },
    publish: (owner, lease) => firewall.publish(owner, published(lease)),
    async release(owner, lease) {
      ports.release(owner);
      const address = parseIpv4(lease.address);
      if (address !== undefined) pool.giveBack(address);
      removeLink(netlink, hostLinkName(owner));
      await firewall.withdraw(owner);
    },
  };
}

/** Interface names have at most 15 characters. */
function hostLinkName(owner: string): string {
  return `veth${owner.slice(0, 10)}`;
}

function published(lease: EndpointLease): PublishedPort[] {
  return lease.ports.map((port) => ({ ...port, containerAddress: lease.address }));
}
