import { describe, expect, it } from 'vitest';
import { createAddressPool } from '../../../src/engine/network/address-pool.ts';
import { parseRoutes, parseSubnet, planAddresses, type IpamConfig } from '../../../src/engine/network/ipam.ts';
import { formatIpv4, formatSubnet, parseIpv4 } from '../../../src/engine/network/ipv4.ts';
import { formatNameServerRules, formatRuleset } from '../../../src/engine/network/nft-ruleset.ts';

const subnets = (...texts: string[]) => texts.map(parseSubnet);
const plan = (config: IpamConfig, taken: string[] = [], ours: string[] = []): string => {
  const { subnet, gateway, range } = planAddresses(config, subnets(...taken), subnets(...ours));
  return `${formatSubnet(subnet)} ${formatIpv4(gateway)} ${formatSubnet(range)}`;
};

describe('addresses of a new network', () => {
  it('come from the first pool that nothing reaches yet', () => {
    expect(plan({})).toBe('172.17.0.0/16 172.17.0.1 172.17.0.0/16');
    expect(plan({}, ['172.17.0.0/16'], ['172.18.0.0/16'])).toBe('172.19.0.0/16 172.19.0.1 172.19.0.0/16');
    expect(plan({}, ['172.16.0.0/12'])).toBe('192.168.0.0/20 192.168.0.1 192.168.0.0/20');
    expect(plan({}, ['172.16.0.0/12', '192.168.1.0/24'])).toBe('192.168.16.0/20 192.168.16.1 192.168.16.0/20');
    expect(() => plan({}, ['172.16.0.0/12', '192.168.0.0/16'])).toThrow('could not find an available');
  });

  it('are the user’s where given', () => {
    expect(plan({ Subnet: '10.5.0.0/16', Gateway: '10.5.9.9', IPRange: '10.5.1.0/24' }, ['10.0.0.0/8'])).toBe('10.5.0.0/16 10.5.9.9 10.5.1.0/24');
    expect(() => plan({ Subnet: '10.5.0.0/16' }, [], ['10.5.3.0/24'])).toThrow('Pool overlaps');
  });

  it.each<[IpamConfig, string]>([
    [{ Subnet: 'x' }, 'invalid subnet'], [{ Subnet: '10.0.0.0/31' }, 'invalid subnet'], [{ Subnet: 'fd00::/64' }, 'IPv6'], [{ Subnet: '10.0.0.0/24', Gateway: '10.0.1.1' }, 'invalid gateway'],
    [{ Subnet: '10.0.0.0/24', Gateway: '10.0.0.255' }, 'invalid gateway'], [{ Subnet: '10.0.0.0/24', IPRange: '10.0.0.0/16' }, 'invalid ip-range'], [{ Subnet: '10.0.0.0/24', AuxiliaryAddresses: { a: '1.2.3.4' } }, 'auxiliary address a'],
    [{ Subnet: '10.0.0.0/24', AuxiliaryAddresses: { a: '10.0.0.1' } }, 'is an auxiliary address too'],
  ])('are refused: %j', (config, reason) => {
    expect(() => plan(config)).toThrow(reason);
  });

  it('are lent from the range, and elsewhere only when asked for', () => {
    const { subnet, gateway, range, reserved } = planAddresses({ Subnet: '10.5.0.0/16', IPRange: '10.5.1.0/30', AuxiliaryAddresses: { router: '10.5.1.1' } }, [], []);
    const pool = createAddressPool(subnet, gateway, range, reserved);
    expect(formatIpv4(pool.lend(parseIpv4('10.5.77.7')))).toBe('10.5.77.7');
    expect([pool.lend(undefined), pool.lend(undefined), pool.lend(undefined)].map(formatIpv4)).toEqual(['10.5.1.0', '10.5.1.2', '10.5.1.3']);
    expect(() => pool.lend(undefined)).toThrow('no free address in 10.5.1.0/30');
    pool.giveBack(parseIpv4('10.5.1.1') ?? 0);
    expect(() => pool.lend(undefined)).toThrow('no free address');
  });

  it('are read from the routing table of the kernel', () => {
    const table = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\neth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\neth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\neth1\t0A0B0C0A\t00000000\t0001\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n';
    expect(parseRoutes(table).map(formatSubnet)).toEqual(['192.168.0.0/16', '10.12.11.10/32']);
  });
});

describe('the firewall of several networks', () => {
  const bridge = (name: string, internal = false) => ({ name, subnet: '10.0.0.0/24', subnet6: undefined, masquerade: true, internal });

  it('lets nothing in or out of an internal one, and only answers between the others', () => {
    const rules = formatRuleset({ table: 't', bridges: [bridge('a'), bridge('b', true)], published: [], ipv6: false });
    const forward = rules.slice(rules.indexOf('chain forward'));
    expect(forward).toMatch(/iifname "b" oifname != "b" drop[^]*oifname "b" iifname != "b" drop[^]*oifname != { "a", "b" } accept[^]*iifname "a" oifname "a" accept[^]*established,related accept[^]*dnat accept[^]*drop/);
    expect(rules).toContain('ip saddr 10.0.0.0/24 oifname != "a" masquerade');
    expect(rules).not.toContain('oifname != "b" masquerade');
  });

  it('is a table without rules when there is no network', () => {
    expect(formatRuleset({ table: 't', bridges: [], published: [], ipv6: false })).not.toContain('{  }');
  });

  it('leads name queries to the port of the server', () => {
    expect(formatNameServerRules('127.0.0.11', 4567)).toContain('ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:4567\n    ip daddr 127.0.0.11 tcp dport 53 dnat to 127.0.0.11:4567');
  });
});
