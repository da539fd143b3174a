import { EngineError } from '../error.ts';
import { broadcast, contains, formatSubnet, type Ipv4, type Subnet } from './ipv4.ts';
import { contains6, formatSubnet6, lastAddress6, type Ipv6, type Subnet6 } from './ipv6.ts';

/** Which addresses of a subnet are lent. Durable because each container's record names its own: the pool is filled from them at start. */
export interface AddressPool<Address> {
  /** The wanted address if it is free, otherwise the next one after the last that was lent: an address is reused late. */
  lend(wanted: Address | undefined): Address;
  /** Marks one that is in use; false when it was lent already or is not of this subnet. */
  claim(address: Address): boolean;
  giveBack(address: Address): void;
}

interface Lendable<Address> {
  /** Of those that are lent without being asked for, which go round. */
  first: Address;
  after(address: Address): Address;
  /** Whether an address can be lent at all. */
  fits(address: Address): boolean;
  /** Never lent. */
  kept: readonly Address[];
  /** 'a.b.c.d/n' */
  range: string;
  hint: string;
}

/** `range`: where addresses come from that nobody asked for; `reserved`: what is never lent, beside the gateway. */
export function createAddressPool(subnet: Subnet, gateway: Ipv4, range: Subnet = subnet, reserved: readonly Ipv4[] = []): AddressPool<Ipv4> {
  const first = Math.max(range.base, subnet.base + 1);
  const last = Math.min(broadcast(range), broadcast(subnet) - 1);
  return createPool({
    first,
    after: (address) => (address === last ? first : address + 1),
    fits: (address) => contains(subnet, address) && address > subnet.base && address < broadcast(subnet),
    kept: [gateway, ...reserved],
    range: formatSubnet(range),
    hint: 'remove containers, or give the network a larger subnet (--bip for the default bridge)',
  });
}

/** The first address of an IPv6 subnet is that of its routers (RFC 4291, section 2.6.1): it is not lent. */
export function createAddressPool6(subnet: Subnet6, gateway: Ipv6, range: Subnet6 = subnet, reserved: readonly Ipv6[] = []): AddressPool<Ipv6> {
  const first = range.base === subnet.base ? subnet.base + 1n : range.base;
  const last = lastAddress6(range);
  return createPool({
    first,
    after: (address) => (address === last ? first : address + 1n),
    fits: (address) => contains6(subnet, address) && address !== subnet.base,
    kept: [gateway, ...reserved],
    range: formatSubnet6(range),
    hint: 'remove containers, or give the network a larger IPv6 subnet',
  });
}

function createPool<Address>({ first, after, fits, kept, range, hint }: Lendable<Address>): AddressPool<Address> {
  const never = new Set(kept);
  const lent = new Set(kept);
  let cursor = first;
  const claim = (address: Address): boolean => {
    if (!fits(address) || lent.has(address)) return false;
    lent.add(address);
    return true;
  };
  return {
    claim,
    lend(wanted) {
      if (wanted !== undefined && claim(wanted)) return wanted;
      const start = cursor;
      do {
        const address = cursor;
        cursor = after(cursor);
        if (claim(address)) return address;
      } while (cursor !== start);
      throw new EngineError('internal', 'ADDRESSES_EXHAUSTED', `no free address in ${range}`, { hint });
    },
    giveBack(address) {
      if (!never.has(address)) lent.delete(address);
    },
  };
}
