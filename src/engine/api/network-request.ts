import { createFields } from '../containers/index.ts';
import { EngineError } from '../error.ts';
import { OPTION, type IpamConfig, type NetworkRequest } from '../network/index.ts';

/** As free as with Docker, blanks within included; a slash would never reach a route. */
const NAME = /^[^\s/](?:[^\x00-\x1f/]*[^\s/])?$/;

/** The body of POST /networks/create. Throws 'invalid', and 'not-implemented' or 'not-found' for networks of other kinds. */
export function parseNetworkRequest(body: unknown): NetworkRequest {
  const fields = createFields(body, 'config');
  const name = fields.text('Name');
  if (!NAME.test(name)) throw invalid(name === '' ? 'network name is required' : `invalid network name ${JSON.stringify(name)}: no blanks at its ends, slashes or control characters`);
  const driver = fields.text('Driver') || 'bridge';
  if (driver !== 'bridge') {
    throw new EngineError('not-found', 'NETWORK_DRIVER', `could not find plugin ${driver} in v1 plugin registry: plugin not found`, { hint: 'bridge is the only driver of networks that are made; host and none are there' });
  }
  if (body !== null && typeof body === 'object' && 'EnableIPv4' in body && !fields.flag('EnableIPv4')) throw new EngineError('not-implemented', 'NETWORK_IPV4', 'networks without IPv4 are not supported', { hint: 'make it with both, and use IPv6 alone' });
  if (fields.flag('Ingress') || fields.text('Scope') === 'swarm' || fields.flag('ConfigOnly')) throw new EngineError('not-implemented', 'NETWORK_SWARM', 'networks of swarm mode are not supported');
  const options = fields.textMap('Options') ?? {};
  const mtu = options[OPTION.mtu];
  if (mtu !== undefined && !/^\d{2,5}$/.test(mtu)) throw invalid(`invalid MTU ${JSON.stringify(mtu)}`);
  for (const flag of [OPTION.icc, OPTION.masquerade]) {
    if (options[flag] === undefined) continue;
    if (!/^(true|false|1|0)$/.test(options[flag])) throw invalid(`invalid value ${JSON.stringify(options[flag])} for ${flag}: true or false`);
    options[flag] = String(options[flag] === 'true' || options[flag] === '1');
  }
  const ipam = fields.record('IPAM');
  const ipamDriver = ipam?.text('Driver') || 'default';
  if (ipamDriver !== 'default') throw new EngineError('not-found', 'IPAM_DRIVER', `could not find an IPAM driver named ${JSON.stringify(ipamDriver)}`);
  const configs = (ipam?.records('Config') ?? []).map((config): IpamConfig => {
    const pool: IpamConfig = {};
    for (const key of ['Subnet', 'Gateway', 'IPRange'] as const) if (config.text(key) !== '') pool[key] = config.text(key);
    const auxiliary = config.textMap('AuxiliaryAddresses');
    if (auxiliary !== undefined && Object.keys(auxiliary).length > 0) pool.AuxiliaryAddresses = auxiliary;
    return pool;
  });
  const sixes = configs.filter(({ Subnet = '' }) => Subnet.includes(':')).length;
  if (sixes > 1 || configs.length - sixes > 1) throw new EngineError('not-implemented', 'NETWORK_SUBNETS', 'a network can have one IPv4 and one IPv6 subnet only', { hint: 'make one network for each subnet' });
  return {
    name, options, internal: fields.flag('Internal'), ...(fields.flag('EnableIPv6') ? { ipv6: true } : {}), attachable: fields.flag('Attachable'), labels: fields.textMap('Labels') ?? {},
    ipam: { Driver: 'default', Options: ipam?.textMap('Options') ?? null, Config: configs },
  };
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', 'NETWORK_INVALID', message);
}
