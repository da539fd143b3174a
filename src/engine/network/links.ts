import { concat } from 'host:bytes';
import { systemErrorCode } from '../error.ts';
import type { Netlink } from '../ports/index.ts';
import { broadcast, formatIpv4, type Ipv4, type Subnet } from './ipv4.ts';
import type { Ipv6, Subnet6 } from './ipv6.ts';
import { addAddress, addAddress6, addDefaultRoute, addDefaultRoute6, createBridge, createVeth, deleteLink, getLink, isolatePort, parseLink, setLinkUp, type Link } from './link-messages.ts';

const LOOPBACK_INDEX = 1;
/** 169.254.0.0/16 */
const LINK_LOCAL: Subnet = { base: 0xa9fe0000, prefixLength: 16 };

/** Docker's scheme: the address in the MAC, so that an address has always the same one and no ARP entry goes stale. */
export function macFor(address: Ipv4): string {
  return ['02', '42', ...formatIpv4(address).split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':');
}

export function findLink(netlink: Netlink, name: string, namespaceOfPid?: number): Link | undefined {
  try {
    for (const message of netlink.request(getLink(1, name), namespaceOfPid)) {
      const link = parseLink(message);
      if (link?.name === name) return link;
    }
    return undefined;
  } catch (error) {
    if (systemErrorCode(error) === 'ENODEV') return undefined;
    throw error;
  }
}

/** An address of a bridge's or an endpoint's interface, beside the IPv4 one. */
export interface Ipv6Interface {
  address: Ipv6;
  subnet: Subnet6;
}

/** Makes the bridge, or completes one that is there. Returns its index. */
export function ensureBridge(netlink: Netlink, name: string, address: Ipv4, subnet: Subnet, six: Ipv6Interface | undefined): number {
  if (findLink(netlink, name) === undefined) allowExisting(() => netlink.request(createBridge(1, name, macFor(address))));
  const bridge = findLink(netlink, name);
  if (bridge === undefined) throw new Error(`bridge ${name} vanished while it was made`);
  allowExisting(() => netlink.request(addAddress(1, bridge.index, address, subnet.prefixLength, broadcast(subnet))));
  if (six !== undefined) allowExisting(() => netlink.request(addAddress6(1, bridge.index, six.address, six.subnet.prefixLength)));
  if (!bridge.up) netlink.request(setLinkUp(1, bridge.index));
  return bridge.index;
}

export interface Endpoint {
  hostName: string;
  bridgeIndex: number;
  mtu: number | undefined;
  address: Ipv4;
  subnet: Subnet;
  /** Undefined: no default route by way of it. */
  gateway: Ipv4 | undefined;
  /** With its own gateway, where the default route leads this way. */
  six: (Ipv6Interface & { gateway: Ipv6 | undefined }) | undefined;
  /** 'eth0' */
  insideName: string;
  mac: string;
  /** Of 169.254.0.0/16. */
  linkLocalAddresses: readonly Ipv4[];
  /** Reaches the bridge itself but no other container on it. */
  isolated: boolean;
  /** A process in the container's network namespace. */
  pid: number;
}

/** Connects a container's network namespace to the bridge. All of it goes when the namespace does. */
export function connectEndpoint(netlink: Netlink, endpoint: Endpoint): void {
  removeLink(netlink, endpoint.hostName);
  const { pid, hostName, insideName, bridgeIndex, mtu, address, mac, linkLocalAddresses, subnet, gateway, six } = endpoint;
  netlink.request(createVeth(1, { hostName, bridgeIndex, mtu, peerName: insideName, peerMac: mac, peerPid: pid }));
  const inside = findLink(netlink, insideName, pid);
  if (inside === undefined) throw new Error(`the container's ${insideName} vanished while it was made`);
  netlink.request(
    concat([
      setLinkUp(1, LOOPBACK_INDEX),
      addAddress(2, inside.index, address, subnet.prefixLength, broadcast(subnet)),
      setLinkUp(3, inside.index),
      ...(gateway === undefined ? [] : [addDefaultRoute(4, inside.index, gateway)]),
      ...(six === undefined ? [] : [addAddress6(5, inside.index, six.address, six.subnet.prefixLength)]),
      ...(six?.gateway === undefined ? [] : [addDefaultRoute6(6, inside.index, six.gateway)]),
      ...linkLocalAddresses.map((own, index) => addAddress(7 + index, inside.index, own, LINK_LOCAL.prefixLength, broadcast(LINK_LOCAL))),
    ]),
    pid,
  );
  if (!endpoint.isolated) return;
  const outside = findLink(netlink, hostName);
  if (outside !== undefined) netlink.request(isolatePort(1, outside.index));
}

/** Gives a namespace without a default route one by way of the interface. */
export function moveDefaultRoute(netlink: Netlink, insideName: string, gateway: Ipv4, gateway6: Ipv6 | undefined, pid: number): void {
  const inside = findLink(netlink, insideName, pid);
  if (inside === undefined) return;
  allowExisting(() => netlink.request(addDefaultRoute(1, inside.index, gateway), pid));
  if (gateway6 !== undefined) allowExisting(() => netlink.request(addDefaultRoute6(1, inside.index, gateway6), pid));
}

/** A namespace of its own has its loopback down at first. */
export function raiseLoopback(netlink: Netlink, pid: number): void {
  netlink.request(setLinkUp(1, LOOPBACK_INDEX), pid);
}

export function removeLink(netlink: Netlink, name: string): void {
  const link = findLink(netlink, name);
  if (link === undefined) return;
  try {
    netlink.request(deleteLink(1, link.index));
  } catch (error) {
    if (systemErrorCode(error) !== 'ENODEV') throw error;
  }
}

function allowExisting(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
  }
}
