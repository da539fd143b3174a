import { EngineError } from '../error.ts';
import type { System } from '../ports/index.ts';
import { createAddressPool } from './address-pool.ts';
import type { AddressPlan } from './ipam.ts';
import { contains, formatIpv4, formatSubnet, parseIpv4 } from './ipv4.ts';
import { connectEndpoint, ensureBridge, macFor, moveDefaultRoute, removeLink } from './links.ts';

export interface BridgeOptions {
  /** Of the network interface. */
  name: string;
  addresses: AddressPlan;
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
  mac: string;
  /** More addresses of the interface, of 169.254.0.0/16. */
  linkLocalAddresses: readonly string[];
  /** Packets to everywhere else leave here. */
  defaultRoute: boolean;
  /** A process in the container's network namespace. */
  pid: number;
}

export interface BridgeNetwork {
  readonly options: BridgeOptions;
  readonly gateway: string;
  readonly subnet: string;
  readonly prefixLength: number;
  /** Makes or completes the bridge. */
  up(): void;
  down(): void;
  /** An address for a container. `fixed`: that one or none; otherwise the one before, if it is free. Throws 'conflict'. */
  lease(wanted: string, fixed: boolean): string;
  /** Takes note of an address that is in use; false when it cannot be. */
  adopt(address: string): boolean;
  giveBack(address: string): void;
  connect(endpoint: BridgeEndpoint): void;
  /** Makes it the way out of a container that lost its own. */
  leadOut(insideName: string, pid: number): void;
  disconnect(hostName: string): void;
  macFor(address: string): string;
}

export function createBridgeNetwork({ netlink, files }: System, options: BridgeOptions): BridgeNetwork {
  const { subnet, gateway, range, reserved } = options.addresses;
  const pool = createAddressPool(subnet, gateway, range, reserved);
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
  const numeric = (text: string): number => {
    const address = parseIpv4(text);
    if (address === undefined) throw new EngineError('internal', 'ADDRESS_INVALID', `invalid address ${text}`);
    return address;
  };

  return {
    options,
    gateway: formatIpv4(gateway),
    subnet: formatSubnet(subnet),
    prefixLength: subnet.prefixLength,
    up() {
      lastIndex = undefined;
      up();
    },
    down: () => removeLink(netlink, options.name),
    lease(wanted, fixed) {
      const address = wanted === '' ? undefined : parseIpv4(wanted);
      if (!fixed) return formatIpv4(pool.lend(address));
      if (address === undefined || !contains(subnet, address)) throw new EngineError('invalid', 'ADDRESS_OUTSIDE', `invalid address ${wanted}: It does not belong to any of this network's subnets`);
      if (!pool.claim(address)) throw new EngineError('forbidden', 'ADDRESS_TAKEN', 'Address already in use');
      return wanted;
    },
    adopt(address) {
      const value = parseIpv4(address);
      return value !== undefined && pool.claim(value);
    },
    giveBack(address) {
      const value = parseIpv4(address);
      if (value !== undefined) pool.giveBack(value);
    },
    connect({ hostName, insideName, address, mac, linkLocalAddresses, defaultRoute, pid }) {
      connectEndpoint(netlink, {
        hostName, insideName, bridgeIndex: up(), mtu: options.mtu, address: numeric(address), mac, linkLocalAddresses: linkLocalAddresses.map(numeric), subnet, gateway: defaultRoute ? gateway : undefined, isolated: !options.icc, pid,
      });
    },
    leadOut: (insideName, pid) => moveDefaultRoute(netlink, insideName, gateway, pid),
    disconnect: (hostName) => removeLink(netlink, hostName),
    macFor: (address) => macFor(numeric(address)),
  };
}
