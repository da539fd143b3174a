import { isLive } from '../containers/index.ts';
import { EngineError } from '../error.ts';
import type { ApiContext } from './context.ts';
import { param, parseFilters, sendJson, type ApiRequest } from './request.ts';

/** Networks that are always there have ids that never change. */
export function networkId(name: string): string {
  const digits: Record<string, string> = { bridge: 'b1', host: 'b2', none: 'b3' };
  return (digits[name] ?? 'b0').padEnd(64, '0');
}

function networks(context: ApiContext): Record<string, unknown>[] {
  const { bridge, collection } = context.containers;
  const common = { Created: context.settings.startedAt, Scope: 'local', EnableIPv4: true, EnableIPv6: false, Internal: false, Attachable: false, Ingress: false, ConfigFrom: { Network: '' }, ConfigOnly: false, Labels: {} };
  const members = (name: string): Record<string, unknown> =>
    Object.fromEntries(
      collection.all()
        .filter(({ record }) => record.endpoint.network === name && isLive(record.state))
        .map(({ id, record }) => [
          id,
          {
            Name: record.name, EndpointID: id, MacAddress: record.endpoint.mac, IPv6Address: '',
            IPv4Address: record.endpoint.address === '' ? '' : `${record.endpoint.address}/${bridge?.prefixLength ?? 0}`,
          },
        ]),
    );
  const plain = (name: string, driver: string): Record<string, unknown> => ({ Name: name, Id: networkId(name), ...common, Driver: driver, IPAM: { Driver: 'default', Options: null, Config: null }, Containers: members(name), Options: {} });
  const list = [plain('host', 'host'), plain('none', 'null')];
  if (bridge === undefined) return list;
  return [
    {
      ...plain('bridge', 'bridge'),
      IPAM: { Driver: 'default', Options: null, Config: [{ Subnet: bridge.subnet, Gateway: bridge.gateway }] },
      Options: {
        'com.docker.network.bridge.default_bridge': 'true', 'com.docker.network.bridge.enable_icc': 'true', 'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
        'com.docker.network.bridge.enable_ip_masquerade': String(bridge.options.masquerade), 'com.docker.network.bridge.name': bridge.options.name,
        'com.docker.network.driver.mtu': String(bridge.options.mtu ?? 1500),
      },
    },
    ...list,
  ];
}

export async function list(context: ApiContext, request: ApiRequest): Promise<void> {
  const filters = parseFilters(request, ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type']);
  const fits = (network: Record<string, unknown>): boolean =>
    [...filters].every(([filter, values]) => {
      if (filter === 'name') return values.some((value) => String(network['Name']).includes(value));
      if (filter === 'id') return values.some((value) => String(network['Id']).startsWith(value));
      if (filter === 'driver') return values.includes(String(network['Driver']));
      if (filter === 'scope') return values.includes('local');
      if (filter === 'type') return values.includes('builtin');
      return filter === 'dangling' ? !values.includes('true') : false;
    });
  await sendJson(request, 200, networks(context).filter(fits).map((network) => ({ ...network, Containers: {} })));
}

export async function inspect(context: ApiContext, request: ApiRequest): Promise<void> {
  const wanted = param(request, 'id');
  const network = networks(context).find(({ Name, Id }) => Name === wanted || Id === wanted || (wanted.length >= 2 && String(Id).startsWith(wanted)));
  if (network === undefined) throw new EngineError('not-found', 'NETWORK_UNKNOWN', `network ${wanted} not found`);
  await sendJson(request, 200, network);
}

export async function create(): Promise<void> {
  throw new EngineError('not-implemented', 'NETWORK_CREATE', 'user-defined networks are not supported by this version of the engine', { hint: 'bridge, host and none are there' });
}

/** Only networks that users made are ever pruned, and there are none. */
export async function prune(_: ApiContext, request: ApiRequest): Promise<void> {
  await sendJson(request, 200, { NetworksDeleted: null });
}
