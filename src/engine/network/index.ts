// Purpose: how containers reach the network: bridge, addresses, published ports, name resolution.
// Owns: rtnetlink messages, our nftables table, the address pool, host ports.
// Must not: know HTTP or a container's life.
export { createAddressPool, type AddressPool } from './address-pool.ts';
export { createFirewall, type Firewall } from './firewall.ts';
export { formatIpv4, formatSubnet, parseInterfaceAddress, parseIpv4, type Ipv4, type Subnet } from './ipv4.ts';
export { connectEndpoint, ensureBridge, macFor, raiseLoopback, removeLink } from './links.ts';
export type { PublishedPort } from './nft-ruleset.ts';
export { createPortBook, parseContainerPort, planPorts, type PortBook, type PortLease, type PortMap } from './port-bindings.ts';
export { formatHosts, formatResolvConf, parseExtraHost, type DnsSettings, type HostsEntry } from './resolver-files.ts';
export { createBridgeNetwork, type BridgeNetwork, type BridgeOptions, type EndpointLease } from './bridge-network.ts';
