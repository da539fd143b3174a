import { EngineError } from '../error.ts';
import type { System } from '../ports/index.ts';
import { createAddressPool, createAddressPool6 } from './address-pool.ts';
import type { AddressPlan } from './ipam.ts';
import type { AddressPlan6 } from './ipam6.ts';
import { contains, formatIpv4, formatSubnet, parseIpv4 } from './ipv4.ts';
import { contains6, formatIpv6, formatSubnet6, parseIpv6 } from './ipv6.ts';
import { createLeases, type Leases } from './leases.ts';
import { connectEndpoint, ensureBridge, macFor, moveDefaultRoute, removeLink } from './links.ts';

export interface BridgeOptions {
  /** Of the network interface. */
  name: string;
  addresses: AddressPlan;
  /** Undefined: IPv4 alone. */
  addresses6: AddressPlan6 | undefined;
  mtu: number | undefined;
  masquerade: boolean;
  /** No way out, and none in. */
  internal: boolean;
  /** Whether its containers may talk to each other. */
  icc: boolean;
}

export interface BridgeEndpoint {
  /** Of the host's end. */
  hostName: string;
  /** 'eth0' */
  insideName: string;
  address: string;
  /** '' for none. */
  address6: string;
  mac: string;
  /** More addresses of the interface, of 169.254.0.0/16. */
  linkLocalAddresses: readonly string[];
  /** Packets to everywhere else leave here. */
  defaultRoute: boolean;
  /** A process in the container's network namespace. */
  pid: number;
}

/** Itself it lends IPv4 addresses. */
export interface BridgeNetwork extends Leases {
  readonly options: BridgeOptions;
  readonly ipv6: Leases | undefined;
  /** Makes or completes the bridge. */
  up(): void;
  down(): void;
  connect(endpoint: BridgeEndpoint): void;
  /** Makes it the way out of a container that lost its own. */
  leadOut(insideName: string, pid: number): void;
  disconnect(hostName: string): void;
  macFor(address: string): string;
}

export function createBridgeNetwork({ netlink, files }: System, options: BridgeOptions): BridgeNetwork {
  const { subnet, gateway, range, reserved } = options.addresses;
  const six = options.addresses6;
  let lastIndex: number | undefined;

  const tune = (path: string, value: string): void => {
    if (files.exists(path)) files.writeText(path, value);
  };
  /** Looks each time: a bridge that somebody took away is made again, and what hangs on it set again. */
  const up = (): number => {
    const index = ensureBridge(netlink, options.name, gateway, subnet, six === undefined ? undefined : { address: six.gateway, subnet: six.subnet });
    if (index !== lastIndex) {
      // Local clients reach published ports on 127.0.0.1 through the bridge; the raw chain keeps containers away from it.
      files.writeText(`/proc/sys/net/ipv4/conf/${options.name}/route_localnet`, '1');
      // No container tells the host its routes.
      tune(`/proc/sys/net/ipv6/conf/${options.name}/accept_ra`, '0');
      lastIndex = index;
    }
    return index;
  };
  const numeric = (text: string): number => {
    const address = parseIpv4(text);
    if (address === undefined) throw new EngineError('internal', 'ADDRESS_INVALID', `invalid address ${text}`);
    return address;
  };
  const endpoint6 = (text: string, defaultRoute: boolean): Parameters<typeof connectEndpoint>[1]['six'] => {
    const address = parseIpv6(text);
    return six === undefined || address === undefined ? undefined : { address, subnet: six.subnet, gateway: defaultRoute ? six.gateway : undefined };
  };

  return {
    ...createLeases({
      gateway, subnet: formatSubnet(subnet), prefixLength: subnet.prefixLength, pool: createAddressPool(subnet, gateway, range, reserved), contains: (address) => contains(subnet, address), parse: parseIpv4, format: formatIpv4,
    }),
    ipv6: six === undefined ? undefined : createLeases({
      gateway: six.gateway, subnet: formatSubnet6(six.subnet), prefixLength: six.subnet.prefixLength, pool: createAddressPool6(six.subnet, six.gateway, six.range, six.reserved), contains: (address) => contains6(six.subnet, address),
      parse: parseIpv6, format: formatIpv6,
    }),
    options,
    up() {
      lastIndex = undefined;
      up();
    },
    down: () => removeLink(netlink, options.name),
    connect({ hostName, insideName, address, address6, mac, linkLocalAddresses, defaultRoute, pid }) {
      connectEndpoint(netlink, {
        hostName, insideName, bridgeIndex: up(), mtu: options.mtu, address: numeric(address), mac, linkLocalAddresses: linkLocalAddresses.map(numeric), subnet, gateway: defaultRoute ? gateway : undefined, six: endpoint6(address6, defaultRoute),
        isolated: !options.icc, pid,
      });
    },
    leadOut: (insideName, pid) => moveDefaultRoute(netlink, insideName, gateway, six?.gateway, pid),
    disconnect: (hostName) => removeLink(netlink, hostName),
    macFor: (address) => macFor(numeric(address)),
  };
}
