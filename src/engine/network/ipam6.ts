import { EngineError } from '../error.ts';
import type { IpamConfig } from './ipam.ts';
import { contains6, formatIpv6, formatSubnet6, parseIpv6, type Ipv6, type Subnet6 } from './ipv6.ts';

export interface AddressPlan6 {
  subnet: Subnet6;
  gateway: Ipv6;
  /** Where addresses are lent from. */
  range: Subnet6;
  /** Never lent. */
  reserved: Ipv6[];
}

const LONGEST_PREFIX = 126;
const OWN_PREFIX = 64;

/**
 * IPv6 addresses of a new network. Without a subnet it gets one of its own among the unique local ones, from random bits as RFC 4193 wants: `randomHex` has
 * ten digits of them. Throws 'invalid', or 'forbidden' for an overlap.
 */
export function planAddresses6(config: IpamConfig, randomHex: string, ours: readonly Subnet6[]): AddressPlan6 {
  const wanted = config.Subnet ?? '';
  const subnet = wanted === '' ? { base: BigInt(`0xfd${randomHex.slice(0, 10)}`) << 80n, prefixLength: OWN_PREFIX } : parseSubnet6(wanted);
  if (ours.some((other) => contains6(other, subnet.base) || contains6(subnet, other.base))) {
    throw new EngineError('forbidden', 'SUBNET_TAKEN', 'invalid pool request: Pool overlaps with other one on this address space');
  }
  const range = config.IPRange === undefined || config.IPRange === '' ? subnet : parseSubnet6(config.IPRange);
  if (!contains6(subnet, range.base) || range.prefixLength < subnet.prefixLength) throw invalid(`invalid ip-range ${formatSubnet6(range)}: it is not in ${formatSubnet6(subnet)}`);
  const gateway = config.Gateway === undefined || config.Gateway === '' ? subnet.base + 1n : hostAddress(subnet, config.Gateway, 'gateway');
  const reserved = Object.entries(config.AuxiliaryAddresses ?? {}).map(([name, address]) => hostAddress(subnet, address, `auxiliary address ${name}`));
  if (reserved.includes(gateway)) throw invalid(`the gateway ${formatIpv6(gateway)} is an auxiliary address too`);
  return { subnet, gateway, range, reserved };
}

/** 'a:b::/n', bits behind the prefix ignored. */
export function parseSubnet6(text: string): Subnet6 {
  const [host = '', length = ''] = text.split('/');
  const address = parseIpv6(host);
  const prefixLength = /^\d{1,3}$/.test(length) ? Number(length) : 999;
  if (address === undefined || prefixLength < 8 || prefixLength > LONGEST_PREFIX) {
    throw invalid(`invalid subnet ${JSON.stringify(text)}: write it like fd00:30::/64, with a prefix between 8 and ${LONGEST_PREFIX}`);
  }
  const hostBits = BigInt(128 - prefixLength);
  return { base: (address >> hostBits) << hostBits, prefixLength };
}

function hostAddress(subnet: Subnet6, text: string, what: string): Ipv6 {
  const address = parseIpv6(text.split('/')[0] ?? '');
  if (address === undefined || !contains6(subnet, address) || address === subnet.base) throw invalid(`invalid ${what} ${JSON.stringify(text)}: it is not an address of ${formatSubnet6(subnet)}`);
  return address;
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', 'NETWORK_INVALID', message);
}
