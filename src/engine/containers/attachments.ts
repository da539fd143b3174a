import { EngineError, messageOf } from '../error.ts';
import { DEFAULT_BRIDGE_ID, findLink, OPTION, parseIpv4, planPorts, removeLink, type Network } from '../network/index.ts';
import type { Container } from './collection.ts';
import type { EndpointRequest } from './config.ts';
import type { ContainerContext } from './context.ts';
import { closeNames, openNames } from './container-names.ts';
import type { Attachment, ContainerRecord } from './record.ts';

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

/** The attachment that a request asks for. Throws 'invalid' for what the network cannot give. */
export function planAttachment(network: Network, request: EndpointRequest, insideName: string, endpointId: string): Attachment {
  const wantedAddress = request.IPAMConfig?.IPv4Address ?? '';
  const wantedAddress6 = request.IPAMConfig?.IPv6Address ?? '';
  const wantedMac = request.MacAddress ?? '';
  if (wantedAddress6 !== '') {
    if (network.builtIn) throw new EngineError('invalid', 'STATIC_ADDRESS', 'user specified IP address is supported on user defined networks only');
    if (network.record.ipv6 === true && network.record.ownSubnet6 !== true) throw new EngineError('invalid', 'STATIC_ADDRESS', 'user specified IP address is supported only when connecting to networks with user configured subnets');
  }
  if (wantedAddress !== '') {
    if (network.builtIn) throw new EngineError('invalid', 'STATIC_ADDRESS', 'user specified IP address is supported on user defined networks only');
    if (parseIpv4(wantedAddress) === undefined) throw new EngineError('invalid', 'STATIC_ADDRESS', `invalid IPv4 address: ${wantedAddress}`);
    if (!network.record.ownSubnet) throw new EngineError('invalid', 'STATIC_ADDRESS', 'user specified IP address is supported only when connecting to networks with user configured subnets');
  }
  if (wantedMac !== '' && !MAC.test(wantedMac)) throw new EngineError('invalid', 'MAC_INVALID', `invalid MAC address: ${wantedMac}`);
  const aliases = request.Aliases ?? [];
  if (network.builtIn && aliases.length > 0) throw new EngineError('invalid', 'ALIAS', 'network-scoped aliases are only supported for user-defined networks');
  const links = request.Links ?? [];
  return { networkId: network.record.id, endpointId, insideName, wantedAddress, ...(wantedAddress6 === '' ? {} : { wantedAddress6 }), wantedMac: wantedMac.toLowerCase(), aliases, ...(links.length > 0 ? { links } : {}), ...endpointExtras(request), address: '', mac: '' };
}

export function endpointExtras({ DriverOpts, IPAMConfig }: EndpointRequest): Pick<Attachment, 'driverOptions' | 'linkLocalAddresses'> {
  const linkLocal = IPAMConfig?.LinkLocalIPs;
  return { ...(DriverOpts === undefined ? {} : { driverOptions: DriverOpts }), ...(linkLocal === undefined ? {} : { linkLocalAddresses: linkLocal }) };
}

/** The first 'ethN' that is free. */
export function freeInsideName(attachments: readonly Attachment[]): string {
  for (let number = 0; ; number += 1) {
    const name = `eth${number}`;
    if (attachments.every(({ insideName }) => insideName !== name)) return name;
  }
}

/** Interface names have at most 15 characters. */
export function hostLinkName(containerId: string, { insideName }: Pick<Attachment, 'insideName'>): string {
  return `veth${containerId.slice(0, 9)}${insideName.slice('eth'.length)}`;
}

/** The attachment by which the container reaches other networks: the first that is not internal. */
export function wayOut(context: ContainerContext, record: ContainerRecord): Attachment | undefined {
  return record.attachments.find(({ networkId }) => context.networks.byId(networkId)?.bridge.options.internal === false);
}

export function networkOf(context: ContainerContext, { networkId }: Attachment): Network {
  const network = context.networks.byId(networkId);
  if (network === undefined) throw new EngineError('not-found', 'NETWORK_UNKNOWN', `network ${networkId} not found`);
  return network;
}

/** Addresses and host ports for a container that is about to start; all or none. */
export function leaseAttachments(context: ContainerContext, container: Container): void {
  const { id, record } = container;
  try {
    for (const attachment of record.attachments) leaseAddress(context, container, attachment);
    const { hostConfig, config } = record;
    const out = wayOut(context, record);
    const binding = out === undefined ? undefined : networkOf(context, out).record.options[OPTION.hostAddress];
    const requests = out === undefined ? [] : planPorts(hostConfig.PortBindings, Object.keys(config.ExposedPorts ?? {}), hostConfig.PublishAllPorts);
    if (out?.address6 === undefined) {
      const six = requests.find(({ hostAddress }) => hostAddress.includes(':'));
      if (six !== undefined) throw new EngineError('invalid', 'PORT_IPV6', `cannot publish on [${six.hostAddress}]: the container's network has no IPv6`, { hint: 'make a network with --ipv6 for it' });
    }
    record.endpoint.ports = context.networks.leasePorts(id, requests.map((request) => (request.hostAddress === '' && binding !== undefined && binding !== '0.0.0.0' ? { ...request, hostAddress: binding } : request)));
  } catch (error) {
    for (const attachment of record.attachments) giveBack(context, container, attachment);
    throw error;
  }
}

function giveBack(context: ContainerContext, { leased }: Container, attachment: Attachment): void {
  if (!leased.delete(attachment.endpointId)) return;
  const bridge = context.networks.byId(attachment.networkId)?.bridge;
  bridge?.giveBack(attachment.address);
  if (attachment.address6 !== undefined) bridge?.ipv6?.giveBack(attachment.address6);
}

function leaseAddress(context: ContainerContext, { leased }: Container, attachment: Attachment): void {
  const { bridge } = networkOf(context, attachment);
  const fixed = attachment.wantedAddress !== '';
  attachment.address = bridge.lease(fixed ? attachment.wantedAddress : attachment.address, fixed);
  const fixed6 = attachment.wantedAddress6 !== undefined;
  try {
    if (bridge.ipv6 === undefined) delete attachment.address6;
    else attachment.address6 = bridge.ipv6.lease(attachment.wantedAddress6 ?? attachment.address6 ?? '', fixed6);
  } catch (error) {
    bridge.giveBack(attachment.address);
    throw error;
  }
  leased.add(attachment.endpointId);
  attachment.mac = attachment.wantedMac === '' ? bridge.macFor(attachment.address) : attachment.wantedMac;
}

/** Connects a container whose first process waits to be started. */
export async function connectAttachments(context: ContainerContext, container: Container, pid: number): Promise<void> {
  const { record } = container;
  for (const attachment of record.attachments) connectOne(context, container, attachment, pid);
  await publish(context, container);
  if (hasNames(context, record)) await openNames(context, container, pid);
}

function connectOne(context: ContainerContext, { id, record }: Container, attachment: Attachment, pid: number): void {
  const network = networkOf(context, attachment);
  network.bridge.connect({
    hostName: hostLinkName(id, attachment), insideName: attachment.insideName, address: attachment.address, address6: attachment.address6 ?? '', mac: attachment.mac, linkLocalAddresses: attachment.linkLocalAddresses ?? [], defaultRoute: wayOut(context, record) === attachment, pid,
  });
  context.events.emit('network', 'connect', network.record.id, { container: id, name: network.record.name, type: 'bridge' });
}

async function publish(context: ContainerContext, { id, record }: Container): Promise<void> {
  const out = wayOut(context, record);
  if (out === undefined) await context.networks.withdraw(id);
  else await context.networks.publish(id, record.endpoint.ports, out.address, out.address6 ?? '');
}

/** Whether names of other containers are resolved in it. */
export function hasNames(context: ContainerContext, record: ContainerRecord): boolean {
  return record.attachments.some(({ networkId }) => networkId !== DEFAULT_BRIDGE_ID && context.networks.byId(networkId) !== undefined);
}

/** What a daemon was killed in the middle of: a connection that no client was told of goes, one whose interface has gone is forgotten. */
function finishCut(context: ContainerContext, { id, record }: Container): void {
  const { netlink } = context.system;
  removeLink(netlink, hostLinkName(id, { insideName: freeInsideName(record.attachments) }));
  const cut = record.attachments.filter((attachment) => findLink(netlink, hostLinkName(id, attachment)) === undefined);
  if (cut.length === 0) return;
  context.system.reporter.log('warn', 'a running container is not connected to all of its networks any more', { container: id, networks: cut.map(({ networkId }) => networkId).join(' ') });
  record.attachments = record.attachments.filter((attachment) => !cut.includes(attachment));
}

/** Takes note of a container that has been running all along. */
export async function adoptAttachments(context: ContainerContext, container: Container): Promise<void> {
  const { id, record } = container;
  finishCut(context, container);
  for (const attachment of record.attachments) {
    const network = context.networks.byId(attachment.networkId);
    if (network === undefined || !network.bridge.adopt(attachment.address)) {
      context.system.reporter.log('warn', 'a running container has an address that is not free', { container: id, address: attachment.address });
    } else {
      container.leased.add(attachment.endpointId);
      if (attachment.address6 !== undefined) network.bridge.ipv6?.adopt(attachment.address6);
    }
  }
  context.networks.adoptPorts(id, record.endpoint.ports);
  await publish(context, container);
  if (!hasNames(context, record)) return;
  try {
    await openNames(context, container, record.state.pid);
  } catch (error) {
    context.system.reporter.log('warn', 'a running container has no name resolution', { container: id, error: messageOf(error) });
  }
}

/** Everything that its network holds goes back. */
export async function releaseAttachments(context: ContainerContext, container: Container): Promise<void> {
  const { id, record } = container;
  closeNames(context, id);
  for (const attachment of record.attachments) {
    const network = context.networks.byId(attachment.networkId);
    if (network === undefined) continue;
    network.bridge.disconnect(hostLinkName(id, attachment));
    if (!container.leased.has(attachment.endpointId)) continue;
    giveBack(context, container, attachment);
    context.events.emit('network', 'disconnect', network.record.id, { container: id, name: network.record.name, type: 'bridge' });
  }
  record.endpoint.ports = [];
  await context.networks.releasePorts(id);
}

/** Connects a container that runs to one more network. */
export async function attachLive(context: ContainerContext, container: Container, attachment: Attachment): Promise<void> {
  const { record } = container;
  leaseAddress(context, container, attachment);
  record.attachments.push(attachment);
  try {
    connectOne(context, container, attachment, record.state.pid);
    await publish(context, container);
    if (hasNames(context, record)) await openNames(context, container, record.state.pid);
  } catch (error) {
    record.attachments.splice(record.attachments.indexOf(attachment), 1);
    networkOf(context, attachment).bridge.disconnect(hostLinkName(container.id, attachment));
    giveBack(context, container, attachment);
    throw error;
  }
}

/** Takes a network from a container that runs; another one leads out then, if there is one. */
export async function detachLive(context: ContainerContext, container: Container, attachment: Attachment): Promise<void> {
  const { id, record } = container;
  const network = networkOf(context, attachment);
  const wasOut = wayOut(context, record) === attachment;
  record.attachments.splice(record.attachments.indexOf(attachment), 1);
  network.bridge.disconnect(hostLinkName(id, attachment));
  giveBack(context, container, attachment);
  context.events.emit('network', 'disconnect', network.record.id, { container: id, name: network.record.name, type: 'bridge' });
  const out = wayOut(context, record);
  if (wasOut && out !== undefined) networkOf(context, out).bridge.leadOut(out.insideName, record.state.pid);
  await publish(context, container);
}
