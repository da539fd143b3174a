import { isIPv6 } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createAddressPool6 } from '../../../src/engine/network/address-pool.ts';
import { parseQuestion, reverseAddress, TYPE_A, TYPE_AAAA } from '../../../src/engine/network/dns-message.ts';
import type { IpamConfig } from '../../../src/engine/network/ipam.ts';
import { parseSubnet6, planAddresses6 } from '../../../src/engine/network/ipam6.ts';
import { contains6, formatIpv6, formatSubnet6, ipv6Bytes, parseIpv6 } from '../../../src/engine/network/ipv6.ts';
import { addAddress6, addDefaultRoute6 } from '../../../src/engine/network/link-messages.ts';
import { ownAnswer } from '../../../src/engine/network/name-server.ts';
import { formatRuleset } from '../../../src/engine/network/nft-ruleset.ts';
import { createPortBook, planPorts } from '../../../src/engine/network/port-bindings.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const address = (text: string): bigint => parseIpv6(text) ?? expect.unreachable(text);

describe('IPv6 addresses', () => {
  it.each([
    ['::', '::'], ['::1', '::1'], ['1::', '1::'], ['FE80::0001', 'fe80::1'], ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'], ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'], ['0:0:3:4:5:6:7:0', '::3:4:5:6:7:0'],
  ])('%s is written %s', (text, written) => {
    expect(formatIpv6(address(text))).toBe(written);
  });

  // Node.js has an opinion of its own.
  it.each(['', ':', ':::', '1', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1::2::3', '12345::', 'g::', '1:2:3:4:5:6:7::8', 'fe80::1%eth0', '::1.2.3', '1.2.3.4', '1.2.3.4::', '::256.1.1.1', '[::1]', ' ::1'])('%j is none', (text) => {
    expect(isIPv6(text) && !text.includes('%')).toBe(false);
    expect(parseIpv6(text)).toBeUndefined();
  });

  it('have 16 bytes', () => {
    expect(hex(ipv6Bytes(address('fd00:1::2:3')))).toBe('fd000001000000000000000000020003');
  });
});

describe('IPv6 subnets of a network', () => {
  const plan = (config: IpamConfig, ours: string[] = []): string => {
    const { subnet, gateway, range } = planAddresses6(config, '0123456789abcdef', ours.map(parseSubnet6));
    return `${formatSubnet6(subnet)} ${formatIpv6(gateway)} ${formatSubnet6(range)}`;
  };

  it('are the user’s, or unique local ones of its own', () => {
    expect(plan({ Subnet: '2001:389::7/64' })).toBe('2001:389::/64 2001:389::1 2001:389::/64');
    expect(plan({ Subnet: 'fd00::/64', Gateway: 'fd00::ffff', IPRange: 'fd00::1:0/112' })).toBe('fd00::/64 fd00::ffff fd00::1:0/112');
    expect(plan({})).toBe('fd01:2345:6789::/64 fd01:2345:6789::1 fd01:2345:6789::/64');
  });

  it.each<[IpamConfig, string]>([
    [{ Subnet: '10.0.0.0/8' }, 'invalid subnet'], [{ Subnet: 'fd00::' }, 'invalid subnet'], [{ Subnet: 'fd00::/127' }, 'invalid subnet'], [{ Subnet: 'fd00::/64', Gateway: 'fd01::1' }, 'invalid gateway'],
    [{ Subnet: 'fd00::/64', IPRange: 'fd00::/56' }, 'invalid ip-range'], [{ Subnet: 'fd00::/64', AuxiliaryAddresses: { a: 'fd00::1' } }, 'is an auxiliary address too'],
  ])('are refused: %j', (config, reason) => {
    expect(() => plan(config)).toThrow(reason);
  });

  it('do not overlap', () => {
    expect(() => plan({ Subnet: 'fd00::/64' }, ['fd00::/48'])).toThrow('Pool overlaps');
    expect(() => plan({ Subnet: 'fd00::/48' }, ['fd00:0:0:5::/64'])).toThrow('Pool overlaps');
    expect(contains6(parseSubnet6('fd00::/48'), address('fd00:0:1::'))).toBe(false);
  });

  it('lend each address once, the gateway and the first never', () => {
    const { subnet, gateway, range, reserved } = planAddresses6({ Subnet: 'fd00::/125', AuxiliaryAddresses: { other: 'fd00::3' } }, '', []);
    const pool = createAddressPool6(subnet, gateway, range, reserved);
    expect(pool.claim(address('fd00::'))).toBe(false);
    expect(formatIpv6(pool.lend(address('fd00::6')))).toBe('fd00::6');
    expect([1, 2, 3, 4].map(() => formatIpv6(pool.lend(undefined)))).toEqual(['fd00::2', 'fd00::4', 'fd00::5', 'fd00::7']);
    expect(() => pool.lend(undefined)).toThrow('no free address in fd00::/125');
    pool.giveBack(address('fd00::4'));
    expect(formatIpv6(pool.lend(undefined))).toBe('fd00::4');
  });
});

describe('rtnetlink messages for IPv6', () => {
  // Written by hand from linux/rtnetlink.h and linux/if_addr.h.
  it('add an address that can be used at once', () => {
    expect(hex(addAddress6(2, 5, address('fd00::2'), 64))).toBe(['40000000140005060200000000000000', '0a40020005000000', '14000200', 'fd000000000000000000000000000002', '14000100', 'fd000000000000000000000000000002'].join(''));
  });

  it('add a default route', () => {
    expect(hex(addDefaultRoute6(4, 5, address('fd00::1')))).toBe(['38000000180005060400000000000000', '0a000000fe03000100000000', '14000500', 'fd000000000000000000000000000001', '0800040005000000'].join(''));
  });
});

describe('name server', () => {
  const scope = { addresses: (name: string) => (name === 'web' ? ['10.0.0.2', 'fd00::2'] : name === 'old' ? ['10.0.0.3'] : []), name: (text: string) => (text === 'fd00::2' ? 'web.net' : undefined) };
  const ask = (name: string, type: number): string | undefined => {
    const message = Uint8Array.from([1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]), 0, 0, type, 0, 1]);
    const question = parseQuestion(message);
    const answer = question === undefined ? undefined : ownAnswer(message, question, scope, () => 0);
    return answer === undefined ? undefined : hex(answer.subarray(message.length));
  };

  it('gives each family its addresses', () => {
    expect(ask('web', TYPE_A)).toBe('c00c000100010000025800040a000002');
    expect(ask('web', TYPE_AAAA)).toBe('c00c001c0001000002580010fd000000000000000000000000000002');
    expect(ask('old', TYPE_AAAA)).toBe('');
    expect(ask('elsewhere', TYPE_AAAA)).toBeUndefined();
  });

  it('knows the names behind addresses', () => {
    const name = `2.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`;
    expect(reverseAddress(name)).toBe('fd00::2');
    expect(Buffer.from(ask(name, 12) ?? '', 'hex').toString('latin1')).toContain('\u0003web\u0003net\0');
    expect(reverseAddress(name.replace('2.', ''))).toBeUndefined();
  });
});

describe('published ports', () => {
  const port = (hostAddress: string, containerAddress6 = 'fd00::2') => ({ protocol: 'tcp' as const, hostAddress, hostPort: 8080, containerAddress: '10.0.0.2', containerAddress6, containerPort: 80 });
  const bridge = { name: 'b', subnet: '10.0.0.0/24', subnet6: 'fd00::/64', masquerade: true, internal: false };

  it('are led on for the families of host and container', () => {
    const rules = (hostAddress: string, address6?: string): string[] =>
      formatRuleset({ table: 't', bridges: [bridge], published: [port(hostAddress, address6)], ipv6: true }).split('\n').filter((line) => line.includes('dnat to')).map((line) => line.trim());
    expect(rules('')).toEqual(['tcp dport 8080 dnat to 10.0.0.2:80', 'tcp dport 8080 dnat to [fd00::2]:80']);
    expect(rules('0.0.0.0')).toEqual(['tcp dport 8080 dnat to 10.0.0.2:80']);
    expect(rules('::')).toEqual(['tcp dport 8080 dnat to [fd00::2]:80']);
    expect(rules('fd99::1')).toEqual(['ip6 daddr fd99::1 tcp dport 8080 dnat to [fd00::2]:80']);
    expect(rules('', '')).toEqual(['tcp dport 8080 dnat to 10.0.0.2:80']);
  });

  it('touch no table for IPv6 where there is none, and take away one that is not wanted any more', () => {
    const without = { ...bridge, subnet6: undefined };
    expect(formatRuleset({ table: 't', bridges: [without], published: [], ipv6: false })).not.toContain('ip6');
    expect(formatRuleset({ table: 't', bridges: [without], published: [], ipv6: true }).split('\n').filter((line) => line.includes('ip6'))).toEqual(['add table ip6 t', 'delete table ip6 t']);
  });

  it('may be had once for each family, and on ::1 not at all', () => {
    const book = createPortBook(() => ({ close: () => undefined }));
    const lease = (owner: string, HostIp: string): unknown => book.lease(owner, planPorts({ '80/tcp': [{ HostIp, HostPort: '8080' }] }, [], false));
    lease('a', '::');
    lease('b', '0.0.0.0');
    expect(() => lease('c', '')).toThrow('already allocated');
    expect(() => lease('c', 'FD00::1')).toThrow('already allocated');
    book.release('a');
    expect(lease('c', 'FD00::1')).toMatchObject([{ hostAddress: 'fd00::1', hostPort: 8080 }]);
    expect(() => lease('d', '::1')).toThrow('cannot be published on ::1');
    expect(() => lease('d', 'fd00:::')).toThrow('invalid IP address');
  });
});
