import { EngineError } from '../error.ts';
import type { AddressPool } from './address-pool.ts';

/** Addresses of one family that a network lends, as texts. */
export interface Leases {
  readonly gateway: string;
  /** 'a.b.c.d/n', 'a:b::/n' */
  readonly subnet: string;
  readonly prefixLength: number;
  /** An address for a container. `fixed`: that one or none; otherwise the one before, if it is free. Throws 'invalid', 'forbidden'. */
  lease(wanted: string, fixed: boolean): string;
  /** Takes note of an address that is in use; false when it cannot be. */
  adopt(address: string): boolean;
  giveBack(address: string): void;
}

interface Family<Address> {
  gateway: Address;
  subnet: string;
  prefixLength: number;
  pool: AddressPool<Address>;
  contains(address: Address): boolean;
  parse(text: string): Address | undefined;
  format(address: Address): string;
}

export function createLeases<Address>({ gateway, subnet, prefixLength, pool, contains, parse, format }: Family<Address>): Leases {
  return {
    gateway: format(gateway),
    subnet,
    prefixLength,
    lease(wanted, fixed) {
      const address = wanted === '' ? undefined : parse(wanted);
      if (!fixed) return format(pool.lend(address));
      if (address === undefined || !contains(address)) throw new EngineError('invalid', 'ADDRESS_OUTSIDE', `invalid address ${wanted}: It does not belong to any of this network's subnets`);
      if (!pool.claim(address)) throw new EngineError('forbidden', 'ADDRESS_TAKEN', 'Address already in use');
      return format(address);
    },
    adopt(address) {
      const value = parse(address);
      return value !== undefined && pool.claim(value);
    },
    giveBack(address) {
      const value = parse(address);
      if (value !== undefined) pool.giveBack(value);
    },
  };
}
