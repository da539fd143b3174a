import { formatRows, shortId } from '../../format/index.ts';
import { ApiError } from '../api/api-client.ts';
import { CliError } from '../cli-error.ts';
import { atLeast, exactly, noArguments, type Command } from '../command.ts';
import { keyValueMap } from '../create/environment.ts';
import type { FlagSpec } from '../flags/flag-spec.ts';
import { filterQuery } from '../output/filters.ts';
import { goTimeText } from '../output/time-text.ts';
import { forEachName, inPath } from './each.ts';
import { filterFlag, listFormatFlag, noTruncFlag, quietFlag } from './shared-flags.ts';

interface Network {
  readonly Id: string;
  readonly Name: string;
  readonly Driver: string;
  readonly Scope: string;
  readonly Created: string;
  readonly Internal: boolean;
  readonly EnableIPv6: boolean;
  readonly EnableIPv4?: boolean;
  readonly Labels?: Readonly<Record<string, string>> | null;
}

const titles = { ID: 'NETWORK ID', Name: 'NAME', Driver: 'DRIVER', Scope: 'SCOPE', IPv4: 'IPV4', IPv6: 'IPV6', Internal: 'INTERNAL', Labels: 'LABELS', CreatedAt: 'CREATED AT' };

export const networkListCommand: Command = {
  path: ['network', 'ls'], aliases: [['network', 'list']], usage: '', summary: 'List networks', args: noArguments,
  flags: [{ ...filterFlag, complete: ['driver=', 'id=', 'label=', 'name=', 'scope=', 'type=', 'dangling='] }, listFormatFlag, noTruncFlag, quietFlag('network IDs')],
  async run(context) {
    const { api, flags } = context;
    const networks = await api.get<Network[]>('/networks', { filters: filterQuery(flags.list('filter')) });
    const rows = networks.toSorted((a, b) => (a.Name < b.Name ? -1 : a.Name > b.Name ? 1 : 0)).map((network) => ({
      ID: flags.bool('no-trunc') ? network.Id : shortId(network.Id), Name: network.Name, Driver: network.Driver, Scope: network.Scope,
      IPv4: String(network.EnableIPv4 ?? true), IPv6: String(network.EnableIPv6), Internal: String(network.Internal),
      Labels: Object.entries(network.Labels ?? {}).map(([name, value]) => `${name}=${value}`).join(','), Label: (name: unknown) => network.Labels?.[String(name)] ?? '',
      CreatedAt: goTimeText(Date.parse(network.Created)),
    }));
    const format = flags.string('format') || (flags.bool('quiet') ? '' : context.config.formats['networksFormat'] ?? '');
    await context.print(formatRows(rows, { format, titles, quiet: flags.bool('quiet') ? '{{.ID}}' : null, defaultTable: '{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}' }));
    return 0;
  },
};

interface IpamConfig {
  Subnet: string;
  IPRange?: string;
  Gateway?: string;
  AuxiliaryAddresses?: Record<string, string>;
}

function ipv4Number(address: string): number | null {
  const parts = address.split('.').map(Number);
  return parts.length === 4 && parts.every((part) => part >= 0 && part <= 255) ? parts.reduce((sum, part) => sum * 256 + part, 0) : null;
}

/** Whether an address (or the start of a range) lies in a subnet. IPv6 is compared by family alone: the daemon checks the rest. */
export function inSubnet(address: string, subnet: string): boolean {
  const [base = '', bits = '0'] = subnet.split('/');
  const plain = address.split('/')[0] ?? '';
  if (base.includes(':') || plain.includes(':')) return base.includes(':') === plain.includes(':');
  const [left, right] = [ipv4Number(plain), ipv4Number(base)];
  if (left === null || right === null) return false;
  const size = 2 ** (32 - Number(bits));
  return Math.floor(left / size) === Math.floor(right / size);
}

/** Joins --subnet with the --ip-range, --gateway and --aux-address that lie in each. */
export function ipamConfigs(subnets: readonly string[], ranges: readonly string[], gateways: readonly string[], auxiliary: Readonly<Record<string, string>>): IpamConfig[] {
  if (subnets.length === 0 && (ranges.length > 0 || gateways.length > 0)) throw new CliError('every ip-range or gateway must have a corresponding subnet');
  const configs: IpamConfig[] = subnets.map((Subnet) => ({ Subnet }));
  const place = (address: string, what: string): IpamConfig => {
    const config = configs.find(({ Subnet }) => inSubnet(address, Subnet));
    if (!config) throw new CliError(`no matching subnet for ${what} ${address}`);
    return config;
  };
  for (const range of ranges) place(range, 'range').IPRange = range;
  for (const gateway of gateways) {
    const config = place(gateway, 'gateway');
    if (config.Gateway !== undefined) throw new CliError(`cannot configure multiple gateways (${gateway}, ${config.Gateway}) for the same subnet (${config.Subnet})`);
    config.Gateway = gateway;
  }
  for (const [name, address] of Object.entries(auxiliary)) (place(address, 'aux-address').AuxiliaryAddresses ??= {})[name] = address;
  return configs;
}

const addressFlags: readonly FlagSpec[] = [
  { name: 'ip', kind: 'string', help: 'IPv4 address' }, { name: 'ip6', kind: 'string', help: 'IPv6 address' },
  { name: 'link-local-ip', kind: 'strings', help: 'Link-local address' },
];

export const networkCreateCommand: Command = {
  path: ['network', 'create'], usage: 'NETWORK', summary: 'Create a network', args: exactly(1),
  flags: [
    { name: 'attachable', kind: 'bool', help: 'Let containers be attached by hand' },
    { name: 'aux-address', kind: 'map', help: 'Address that the network must leave free (name=address)' },
    { name: 'driver', short: 'd', kind: 'string', help: 'Driver of the network', default: 'bridge' },
    { name: 'gateway', kind: 'strings', help: 'Gateway of the subnet' },
    { name: 'internal', kind: 'bool', help: 'No way to the outside' },
    { name: 'ip-range', kind: 'strings', help: 'Give containers addresses from this part of the subnet' },
    { name: 'ipam-driver', kind: 'string', help: 'Driver that gives out addresses', default: 'default' },
    { name: 'ipam-opt', kind: 'map', help: 'Option of that driver' },
    { name: 'ipv4', kind: 'bool', help: 'Give out IPv4 addresses', default: 'true' },
    { name: 'ipv6', kind: 'bool', help: 'Give out IPv6 addresses' },
    { name: 'label', kind: 'list', help: 'Set a label (key or key=value)' },
    { name: 'opt', short: 'o', kind: 'map', help: 'Option of the driver (key=value)' },
    { name: 'subnet', kind: 'strings', help: 'Subnet (172.30.0.0/16)' },
  ],
  async run({ api, flags, args: [name = ''], print }) {
    const config = ipamConfigs(flags.list('subnet'), flags.list('ip-range'), flags.list('gateway'), keyValueMap(flags.list('aux-address')));
    const { Id, Warning } = await api.post<{ Id: string; Warning?: string }>('/networks/create', {
      json: {
        Name: name, Driver: flags.string('driver'), Internal: flags.bool('internal'), Attachable: flags.bool('attachable'), Scope: '', Ingress: false, ConfigOnly: false,
        ...(flags.given('ipv4') ? { EnableIPv4: flags.bool('ipv4') } : {}), ...(flags.given('ipv6') ? { EnableIPv6: flags.bool('ipv6') } : {}),
        IPAM: { Driver: flags.string('ipam-driver'), Options: keyValueMap(flags.list('ipam-opt')), Config: config },
        Options: keyValueMap(flags.list('opt')), Labels: keyValueMap(flags.list('label')),
      },
    });
    if (Warning) throw new CliError(`WARNING: ${Warning}`);
    await print(`${Id}\n`);
    return 0;
  },
};

export const networkRemoveCommand: Command = {
  path: ['network', 'rm'], aliases: [['network', 'remove']], usage: 'NETWORK [NETWORK...]', summary: 'Remove one or more networks', args: atLeast(1), completeArgs: 'network',
  flags: [{ name: 'force', short: 'f', kind: 'bool', help: 'A missing network is no failure' }],
  run: (context) => forEachName(context, async (name) => {
    try {
      await context.api.delete(`/networks/${inPath(name)}`);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404 && context.flags.bool('force')) return null;
      throw error;
    }
    return name;
  }),
};

export const networkConnectCommand: Command = {
  path: ['network', 'connect'], usage: 'NETWORK CONTAINER', summary: 'Connect a container to a network', args: exactly(2), completeArgs: 'network',
  flags: [
    { name: 'alias', kind: 'strings', help: 'Another name on the network' }, { name: 'driver-opt', kind: 'strings', help: 'Option of the driver (key=value)' }, ...addressFlags,
    { name: 'link', kind: 'list', help: 'Link to another container (name[:alias])' },
  ],
  async run({ api, flags, args: [network = '', container = ''] }) {
    const list = (name: string) => [...flags.list(name)];
    await api.post(`/networks/${inPath(network)}/connect`, {
      json: {
        Container: container,
        EndpointConfig: {
          IPAMConfig: { IPv4Address: flags.string('ip'), IPv6Address: flags.string('ip6'), LinkLocalIPs: list('link-local-ip') },
          Links: list('link'), Aliases: list('alias'), DriverOpts: keyValueMap(list('driver-opt')),
        },
      },
    });
    return 0;
  },
};

export const networkDisconnectCommand: Command = {
  path: ['network', 'disconnect'], usage: 'NETWORK CONTAINER', summary: 'Disconnect a container from a network', args: exactly(2), completeArgs: 'network',
  flags: [{ name: 'force', short: 'f', kind: 'bool', help: 'Disconnect it whatever its state' }],
  async run({ api, flags, args: [network = '', container = ''] }) {
    await api.post(`/networks/${inPath(network)}/disconnect`, { json: { Container: container, Force: flags.bool('force') } });
    return 0;
  },
};
