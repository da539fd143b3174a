import { EngineError } from '../error.ts';
import { broadcast, contains, formatSubnet, type Ipv4, type Subnet } from './ipv4.ts';

/** Which addresses of a subnet are lent. Durable because each container's record names its own: the pool is filled from them at start. */
export interface AddressPool {
  /** The wanted address if it is free, otherwise the next one after the last that was lent: an address is reused late. */
  lend(wanted: Ipv4 | undefined): Ipv4;
  /** Marks one that is in use; false when it was lent already or is not of this subnet. */
  claim(address: Ipv4): boolean;
  giveBack(address: Ipv4): void;
}

/** `range`: where addresses come from that nobody asked for; `reserved`: what is never lent, beside the gateway. */
export function createAddressPool(subnet: Subnet, gateway: Ipv4, range: Subnet = subnet, reserved: readonly Ipv4[] = []): AddressPool {
  const kept = new Set<Ipv4>([gateway, ...reserved]);
  const lent = new Set<Ipv4>(kept);
  const first = Math.max(range.base, subnet.base + 1);
  const last = Math.min(broadcast(range), broadcast(subnet) - 1);
  let cursor = first;
  const claim = (address: Ipv4): boolean => {
    if (!contains(subnet, address) || address <= subnet.base || address >= broadcast(subnet) || lent.has(address)) return false;
    lent.add(address);
    return true;
  };
  return {
    claim,
    lend(wanted) {
      if (wanted !== undefined && claim(wanted)) return wanted;
      for (let tried = first; tried <= last; tried += 1) {
        const address = cursor;
        cursor = cursor === last ? first : cursor + 1;
        if (claim(address)) return address;
      }
      throw new EngineError('internal', 'ADDRESSES_EXHAUSTED', `no free address in ${formatSubnet(range)}`, { hint: 'remove containers, or give the network a larger subnet (--bip for the default bridge)' });
    },
    giveBack(address) {
      if (!kept.has(address)) lent.delete(address);
    },
  };
}
