import { parseIpv4 } from './ipv4.ts';

/** An address as a number, most significant byte first. */
export type Ipv6 = bigint;

export interface Subnet6 {
  /** The first address, all host bits zero. */
  base: Ipv6;
  prefixLength: number;
}

const GROUPS = 8;
const BITS = 128;

/** RFC 4291, section 2.2, also with an IPv4 address at its end. Undefined for anything else, zones included. */
export function parseIpv6(text: string): Ipv6 | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, index) => groupsOf(half, index === halves.length - 1));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const missing = GROUPS - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...(tail ?? [])];
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** `end`: of the whole address, where an IPv4 one may stand. */
function groupsOf(text: string, end: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const four = end && index === parts.length - 1 ? parseIpv4(part) : undefined;
    if (four !== undefined) groups.push(four >>> 16, four & 0xffff);
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

/** As RFC 5952 has it: lower case, the longest run of zeros left out. */
export function formatIpv6(address: Ipv6): string {
  const groups = Array.from({ length: GROUPS }, (_, index) => Number((address >> BigInt(16 * (GROUPS - 1 - index))) & 0xffffn));
  let start = 0;
  let length = 0;
  for (let from = 0; from < GROUPS; from += 1) {
    let to = from;
    while (to < GROUPS && groups[to] === 0) to += 1;
    if (to - from > length) [start, length] = [from, to - from];
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  return length < 2 ? text(groups) : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

export function formatSubnet6(subnet: Subnet6): string {
  return `${formatIpv6(subnet.base)}/${subnet.prefixLength}`;
}

export function contains6(subnet: Subnet6, address: Ipv6): boolean {
  return address >> hostBits(subnet) === subnet.base >> hostBits(subnet);
}

export function lastAddress6(subnet: Subnet6): Ipv6 {
  return subnet.base | ((1n << hostBits(subnet)) - 1n);
}

function hostBits({ prefixLength }: Subnet6): bigint {
  return BigInt(BITS - prefixLength);
}

/** In network order. */
export function ipv6Bytes(address: Ipv6): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, address >> 64n);
  view.setBigUint64(8, address & 0xffff_ffff_ffff_ffffn);
  return bytes;
}
