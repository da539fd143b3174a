import { connectContainer, createFields, disconnectContainer, isLive, nowIso, parseEndpoint } from '../containers/index.ts';
import { EngineError } from '../error.ts';
import type { Network, NetworkRecord } from '../network/index.ts';
import type { ApiContext } from './context.ts';
import { parseNetworkRequest } from './network-request.ts';
import { param, parseFilters, readJson, sendEmpty, sendJson, type ApiRequest } from './request.ts';

/** host and none have ids that never change; they are no networks of ours, only names for what a container does without. */
const UNMADE: Record<string, { id: string; driver: string }> = { host: { id: 'b2'.padEnd(64, '0'), driver: 'host' }, none: { id: 'b3'.padEnd(64, '0'), driver: 'null' } };

export function unmadeNetworkId(name: string): string {
  return UNMADE[name]?.id ?? '';
}

interface NetworkView extends Record<string, unknown> {
  Id: string;
  Name: string;
  Driver: string;
  Labels: Record<string, string>;
  Created: string;
}

function view(record: NetworkRecord, driver: string): NetworkView {
  return {
    Name: record.name, Id: record.id, Created: record.created, Scope: 'local', Driver: driver, EnableIPv4: true, EnableIPv6: record.ipv6 === true, IPAM: record.ipam, Internal: record.internal, Attachable: record.attachable,
    Ingress: false, ConfigFrom: { Network: '' }, ConfigOnly: false, Containers: {}, Options: record.options, Labels: record.labels,
  };
}

function unmade({ settings }: ApiContext, name: string): NetworkView {
  const { id = '', driver = '' } = UNMADE[name] ?? {};
  return view({ id, name, created: settings.startedAt, internal: false, attachable: false, labels: {}, options: {}, ownSubnet: false, ipam: { Driver: 'default', Options: null, Config: [] } }, driver);
}

function views(context: ApiContext): NetworkView[] {
  return [...context.containers.networks.all().map(({ record }) => view(record, 'bridge')), ...Object.keys(UNMADE).map((name) => unmade(context, name))];
}

function containersOn({ containers }: ApiContext, network: Network): Record<string, unknown> {
  const list = containers.collection.all().filter(({ record }) => isLive(record.state));
  return Object.fromEntries(
    list.flatMap(({ id, record }) =>
      record.attachments
        .filter(({ networkId }) => networkId === network.record.id)
        .map(({ endpointId, mac, address, address6 }) => [id, { Name: record.name, EndpointID: endpointId, MacAddress: mac, IPv4Address: `${address}/${network.bridge.prefixLength}`, IPv6Address: address6 === undefined ? '' : `${address6}/${network.bridge.ipv6?.prefixLength ?? 0}` }]),
    ),
  );
}

/** One that users may change. Throws 'forbidden' for the others. */
function findOwn(context: ApiContext, text: string, action: string): Network {
  const network = context.containers.networks.find(text);
  if (network?.builtIn === true || UNMADE[text] !== undefined || Object.values(UNMADE).some(({ id }) => id === text)) {
    throw new EngineError('forbidden', 'NETWORK_PREDEFINED', `${text} is a pre-defined network and cannot be ${action}`);
  }
  if (network === undefined) throw new EngineError('not-found', 'NETWORK_UNKNOWN', `network ${text} not found`);
  return network;
}

export async function list(context: ApiContext, request: ApiRequest): Promise<void> {
  const filters = parseFilters(request, ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type']);
  const { networks } = context.containers;
  const used = (id: string): boolean => context.containers.collection.all().some(({ record }) => record.attachments.some(({ networkId }) => networkId === id));
  const fits = (network: NetworkView): boolean => {
    const builtIn = networks.byId(network.Id)?.builtIn ?? true;
    return [...filters].every(([filter, values]) => {
      if (filter === 'name') return values.some((value) => network.Name.includes(value));
      if (filter === 'id') return values.some((value) => network.Id.startsWith(value));
      if (filter === 'driver') return values.includes(network.Driver);
      if (filter === 'scope') return values.includes('local');
      if (filter === 'type') return values.includes(builtIn ? 'builtin' : 'custom');
      if (filter === 'label') return hasLabels(network.Labels, values);
      return values.some((value) => (value === 'true' || value === '1') === (!builtIn && !used(network.Id)));
    });
  };
  await sendJson(request, 200, views(context).filter(fits));
}

function hasLabels(labels: Record<string, string>, wanted: readonly string[]): boolean {
  return wanted.every((value) => {
    const [key = '', ...rest] = value.split('=');
    return labels[key] !== undefined && (rest.length === 0 || labels[key] === rest.join('='));
  });
}

export async function inspect(context: ApiContext, request: ApiRequest): Promise<void> {
  const wanted = param(request, 'id');
  const network = context.containers.networks.find(wanted);
  if (network !== undefined) return sendJson(request, 200, { ...view(network.record, 'bridge'), Containers: containersOn(context, network) });
  const name = Object.keys(UNMADE).find((candidate) => candidate === wanted || (wanted.length >= 2 && UNMADE[candidate]?.id.startsWith(wanted) === true));
  if (name === undefined) throw new EngineError('not-found', 'NETWORK_UNKNOWN', `network ${wanted} not found`);
  const members = context.containers.collection.all().filter(({ record }) => record.endpoint.network === name && isLive(record.state));
  await sendJson(request, 200, { ...unmade(context, name), Containers: Object.fromEntries(members.map(({ id, record }) => [id, { Name: record.name, EndpointID: id, MacAddress: '', IPv4Address: '', IPv6Address: '' }])) });
}

export async function create(context: ApiContext, request: ApiRequest): Promise<void> {
  const wanted = parseNetworkRequest(await readJson(request));
  if (UNMADE[wanted.name] !== undefined || wanted.name === 'bridge' || wanted.name === 'default') {
    throw new EngineError('forbidden', 'NETWORK_PREDEFINED', `operation is not permitted on predefined ${wanted.name} network`);
  }
  const { record } = await context.containers.networks.create(wanted, nowIso(context.containers));
  context.containers.events.emit('network', 'create', record.id, { name: record.name, type: 'bridge' });
  await sendJson(request, 201, { Id: record.id, Warning: '' });
}

export async function remove(context: ApiContext, request: ApiRequest): Promise<void> {
  await removeNetwork(context, findOwn(context, param(request, 'id'), 'removed'));
  await sendEmpty(request, 204);
}

async function removeNetwork(context: ApiContext, network: Network): Promise<void> {
  const { networks, events, collection } = context.containers;
  const { record } = network;
  // Also of a container that is about to start.
  const inUse = (): boolean => collection.all().some(({ record: { attachments }, leased }) => attachments.some(({ networkId, endpointId }) => networkId === record.id && leased.has(endpointId)));
  await networks.remove(network, inUse);
  events.emit('network', 'destroy', record.id, { name: record.name, type: 'bridge' });
}

export async function prune(context: ApiContext, request: ApiRequest): Promise<void> {
  const filters = parseFilters(request, ['label', 'label!', 'until']);
  const { networks, collection } = context.containers;
  const until = Number(filters.get('until')?.[0] ?? Number.NaN);
  const deleted: string[] = [];
  for (const network of networks.all()) {
    const { record } = network;
    if (network.builtIn || collection.all().some((container) => container.record.attachments.some(({ networkId }) => networkId === record.id))) continue;
    if (!hasLabels(record.labels, filters.get('label') ?? []) || (filters.get('label!') ?? []).some((label) => hasLabels(record.labels, [label]))) continue;
    if (!Number.isNaN(until) && Date.parse(record.created) > until * 1000) continue;
    await removeNetwork(context, network);
    deleted.push(record.name);
  }
  await sendJson(request, 200, { NetworksDeleted: deleted.length === 0 ? null : deleted });
}

export async function connect(context: ApiContext, request: ApiRequest): Promise<void> {
  const body = createFields(await readJson(request), 'config');
  const wanted = param(request, 'id');
  const network = context.containers.networks.find(wanted);
  const container = context.containers.collection.find(body.text('Container'));
  if (UNMADE[wanted]?.driver === 'host') throw new EngineError('forbidden', 'NETWORK_SHARED', 'cannot connect container to host network - container must be created in host network mode');
  if (UNMADE[wanted] !== undefined) throw new EngineError('forbidden', 'NETWORK_PRIVATE', 'container cannot be connected to multiple networks with one of the networks in private (none) mode');
  if (network === undefined) throw new EngineError('not-found', 'NETWORK_UNKNOWN', `network ${wanted} not found`);
  await connectContainer(context.containers, container, network, parseEndpoint(body.record('EndpointConfig')));
  await sendEmpty(request, 200);
}

export async function disconnect(context: ApiContext, request: ApiRequest): Promise<void> {
  const body = createFields(await readJson(request), 'config');
  const wanted = param(request, 'id');
  const network = context.containers.networks.find(wanted);
  if (UNMADE[wanted]?.driver === 'host') throw new EngineError('forbidden', 'NETWORK_SHARED', 'container cannot be disconnected from host network or connected to host network');
  if (network === undefined) throw new EngineError('not-found', 'NETWORK_UNKNOWN', `network ${wanted} not found`);
  await disconnectContainer(context.containers, context.containers.collection.find(body.text('Container')), network);
  await sendEmpty(request, 200);
}
