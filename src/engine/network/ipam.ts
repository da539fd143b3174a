import { EngineError } from '../error.ts';
import { broadcast, contains, formatIpv4, formatSubnet, parseIpv4, type Ipv4, type Subnet } from './ipv4.ts';

/** Docker's description of one address pool of a network. */
export interface IpamConfig {
  Subnet?: string;
  Gateway?: string;
  IPRange?: string;
  AuxiliaryAddresses?: Record<string, string>;
}

export interface AddressPlan {
  subnet: Subnet;
  gateway: Ipv4;
  /** Where addresses are lent from. */
  range: Subnet;
  /** Never lent. */
  reserved: Ipv4[];
}

/** Where networks without a subnet of their own get one: Docker's choice, so that rules written for it hold. */
const POOLS: readonly { base: string; prefixLength: number; count: number }[] = [
  { base: '172.17.0.0', prefixLength: 16, count: 15 },
  { base: '192.168.0.0', prefixLength: 20, count: 16 },
];

/** Addresses of a new network. `taken`: subnets that the host reaches already. Throws 'invalid', or 'forbidden' for an overlap. */
export function planAddresses(config: IpamConfig, taken: readonly Subnet[], ours: readonly Subnet[]): AddressPlan {
  const subnet = config.Subnet === undefined || config.Subnet === '' ? freeSubnet([...taken, ...ours]) : parseSubnet(config.Subnet);
  // A subnet that somebody asked for may well be routed elsewhere: the user knows. Two of our networks may not share it.
  if (ours.some((other) => overlaps(other, subnet))) throw new EngineError('forbidden', 'SUBNET_TAKEN', `invalid pool request: Pool overlaps with other one on this address space`);
  const range = config.IPRange === undefined || config.IPRange === '' ? subnet : parseSubnet(config.IPRange);
  if (!contains(subnet, range.base) || range.prefixLength < subnet.prefixLength) throw invalid(`invalid ip-range ${formatSubnet(range)}: it is not in ${formatSubnet(subnet)}`);
  const gateway = config.Gateway === undefined || config.Gateway === '' ? subnet.base + 1 : hostAddress(subnet, config.Gateway, 'gateway');
  const reserved = Object.entries(config.AuxiliaryAddresses ?? {}).map(([name, address]) => hostAddress(subnet, address, `auxiliary address ${name}`));
  if (reserved.includes(gateway)) throw invalid(`the gateway ${formatIpv4(gateway)} is an auxiliary address too`);
  return { subnet, gateway, range, reserved };
}

/** 'a.b.c.d/n', bits behind the prefix ignored. */
export function parseSubnet(text: string): Subnet {
  const [host = '', length = ''] = text.split('/');
  if (host.includes(':')) throw invalid(`invalid subnet ${JSON.stringify(text)}: an IPv4 one is wanted here, not IPv6`);
  const address = parseIpv4(host);
  const prefixLength = /^\d{1,2}$/.test(length) ? Number(length) : 99;
  if (address === undefined || prefixLength < 1 || prefixLength > 30) throw invalid(`invalid subnet ${JSON.stringify(text)}: write it like 172.30.0.0/16, with a prefix of at most 30`);
  return { base: (address & (-1 << (32 - prefixLength))) >>> 0, prefixLength };
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  return contains(a, b.base) || contains(b, a.base);
}

/** Subnets that the host has routes to, from /proc/net/route; default routes lead everywhere and say nothing. */
export function parseRoutes(text: string): Subnet[] {
  const hex = (digits: string): Ipv4 => {
    const value = Number.parseInt(digits, 16);
    // As the processor has it in memory: the first byte last.
    return (((value & 255) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
  };
  return text.split('\n').slice(1).flatMap((line) => {
    const [, destination, , , , , , mask] = line.split('\t');
    if (destination === undefined || mask === undefined) return [];
    const prefixLength = 32 - Math.round(Math.log2(2 ** 32 - hex(mask.trim())));
    return prefixLength === 0 ? [] : [{ base: hex(destination), prefixLength }];
  });
}

function freeSubnet(taken: readonly Subnet[]): Subnet {
  for (const { base, prefixLength, count } of POOLS) {
    const first = parseIpv4(base) ?? 0;
    for (let index = 0; index < count; index += 1) {
      const candidate = { base: first + index * 2 ** (32 - prefixLength), prefixLength };
      if (!taken.some((other) => overlaps(other, candidate))) return candidate;
    }
  }
  throw new EngineError('invalid', 'POOLS_EXHAUSTED', 'could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network', { hint: 'give it one with --subnet' });
}

function hostAddress(subnet: Subnet, text: string, what: string): Ipv4 {
  const address = parseIpv4(text);
  if (address === undefined || !contains(subnet, address) || address === subnet.base || address === broadcast(subnet)) {
    throw invalid(`invalid ${what} ${JSON.stringify(text)}: it is not an address of ${formatSubnet(subnet)}`);
  }
  return address;
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', 'NETWORK_INVALID', message);
}
