import { EngineError } from '../error.ts';

/** An address as an unsigned number, most significant byte first. */
export type Ipv4 = number;

export interface Subnet {
  /** The first address, all host bits zero. */
  base: Ipv4;
  prefixLength: number;
}

/** Undefined unless it is four decimal numbers. */
export function parseIpv4(text: string): Ipv4 | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let value = 0;
  for (const part of match.slice(1)) {
    if (Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

export function formatIpv4(address: Ipv4): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/** 'a.b.c.d/n': the address itself and the subnet that it lies in. Throws 'invalid'. */
export function parseInterfaceAddress(text: string): { address: Ipv4; subnet: Subnet } {
  const [host = '', length = ''] = text.split('/');
  const address = parseIpv4(host);
  const prefixLength = /^\d{1,2}$/.test(length) ? Number(length) : 99;
  if (address === undefined || prefixLength < 8 || prefixLength > 30) {
    throw new EngineError('invalid', 'BRIDGE_ADDRESS_INVALID', `invalid bridge address ${JSON.stringify(text)}`, { hint: 'write it like 10.114.101.1/24, with a prefix between 8 and 30' });
  }
  return { address, subnet: { base: (address & mask(prefixLength)) >>> 0, prefixLength } };
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatIpv4(subnet.base)}/${subnet.prefixLength}`;
}

export function broadcast(subnet: Subnet): Ipv4 {
  return (subnet.base | ~mask(subnet.prefixLength)) >>> 0;
}

export function contains(subnet: Subnet, address: Ipv4): boolean {
  return (address & mask(subnet.prefixLength)) >>> 0 === subnet.base;
}

function mask(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (-1 << (32 - prefixLength)) >>> 0;
}
