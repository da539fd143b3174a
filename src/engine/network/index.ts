// Purpose: how containers reach the network: bridge, addresses, published ports, name resolution.
// Owns: rtnetlink messages, our nftables table, the address pool, host ports.
// Must not: know HTTP or a container's life.
export { createAddressPool, type AddressPool } from './address-pool.ts';
export { formatIpv4, formatSubnet, parseInterfaceAddress, parseIpv4, type Ipv4, type Subnet } from './ipv4.ts';
export { formatIpv6, parseIpv6 } from './ipv6.ts';
export { findLink, macFor, raiseLoopback, removeLink } from './links.ts';
export type { PublishedPort } from './nft-ruleset.ts';
export { createPortBook, parseContainerPort, planPorts, type PortBook, type PortLease, type PortMap } from './port-bindings.ts';
export { formatHosts, formatOwnResolvConf, formatResolvConf, resolvConfServers, parseExtraHost, type DnsSettings, type HostsEntry } from './resolver-files.ts';
export type { BridgeNetwork } from './bridge-network.ts';
export { parseSubnet, type IpamConfig } from './ipam.ts';
export { createNameServers, NAME_SERVER_ADDRESS, type NameScope, type NameServers } from './name-server.ts';
export { DEFAULT_BRIDGE_ID, openNetworks, OPTION, type Network, type NetworkRecord, type NetworkRequest, type Networks } from './networks.ts';
