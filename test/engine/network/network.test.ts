import { describe, expect, it } from 'vitest';
import {
  createAddressPool, createPortBook, formatHosts, formatIpv4, formatResolvConf, parseExtraHost, parseInterfaceAddress, parseIpv4, planPorts,
} from '../../../src/engine/network/index.ts';
import { formatRuleset } from '../../../src/engine/network/nft-ruleset.ts';

describe('addresses', () => {
  it('parses and formats', () => {
    expect(parseIpv4('255.0.10.1')).toBe(0xff000a01);
    expect(formatIpv4(0xff000a01)).toBe('255.0.10.1');
    for (const bad of ['1.2.3', '1.2.3.256', '1.2.3.4.5', 'a.b.c.d', '']) expect(parseIpv4(bad)).toBeUndefined();
    expect(parseInterfaceAddress('10.114.101.1/24')).toEqual({ address: 0x0a726501, subnet: { base: 0x0a726500, prefixLength: 24 } });
    expect(() => parseInterfaceAddress('10.0.0.1/31')).toThrow('invalid bridge address');
  });

  it('lends each address once, late again, and says when there is none', () => {
    const { address, subnet } = parseInterfaceAddress('10.0.0.1/29');
    const pool = createAddressPool(subnet, address);
    const lent = Array.from({ length: 5 }, () => formatIpv4(pool.lend(undefined)));
    expect(lent).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
    expect(() => pool.lend(undefined)).toThrow('no free address in 10.0.0.0/29');
    pool.giveBack(parseIpv4('10.0.0.3') ?? 0);
    pool.giveBack(address);
    expect(formatIpv4(pool.lend(parseIpv4('10.0.0.2')))).toBe('10.0.0.3');
    expect(pool.claim(parseIpv4('10.0.0.7') ?? 0)).toBe(false);
    expect(pool.claim(parseIpv4('10.9.0.4') ?? 0)).toBe(false);
  });
});

describe('published ports', () => {
  it('plans bindings, ranges and exposed ports', () => {
    expect(planPorts({ '80/tcp': [{ HostPort: '8080' }, { HostIp: '127.0.0.1', HostPort: '9000-9001' }], '53/udp': [{ HostPort: '' }] }, ['443/tcp', '80/tcp'], true)).toEqual([
      { protocol: 'tcp', containerPort: 80, hostAddress: '', firstHostPort: 8080, lastHostPort: 8080 },
      { protocol: 'tcp', containerPort: 80, hostAddress: '127.0.0.1', firstHostPort: 9000, lastHostPort: 9001 },
      { protocol: 'udp', containerPort: 53, hostAddress: '', firstHostPort: 0, lastHostPort: 0 },
      { protocol: 'tcp', containerPort: 443, hostAddress: '', firstHostPort: 0, lastHostPort: 0 },
    ]);
    expect(() => planPorts({ '80/sctp': [{}] }, [], false)).toThrow('SCTP');
    expect(() => planPorts({ '0/tcp': [{}] }, [], false)).toThrow('invalid port');
    expect(() => planPorts({ '80/tcp': [{ HostPort: '99999' }] }, [], false)).toThrow('invalid port');
  });

  it('leases all or none, respects others, gives back', () => {
    const taken = new Set([8081]);
    const open = new Set<number>();
    const book = createPortBook((_, port) => {
      if (taken.has(port)) throw Object.assign(new Error('in use'), { code: 'EADDRINUSE' });
      open.add(port);
      return { close: () => void open.delete(port) };
    });
    const want = (port: number, address = '') => ({ protocol: 'tcp' as const, containerPort: 80, hostAddress: address, firstHostPort: port, lastHostPort: port });
    book.lease('a', [want(8080)]);
    expect(() => book.lease('b', [want(9000), want(8080)])).toThrow('Bind for 0.0.0.0:8080 failed: port is already allocated');
    expect(() => book.lease('b', [want(8080, '127.0.0.1')])).toThrow('already allocated');
    expect(() => book.lease('b', [want(9000), want(8081)])).toThrow('already allocated');
    expect([...open]).toEqual([8080]);
    expect(book.lease('b', [{ ...want(8080), lastHostPort: 8082 }])[0]?.hostPort).toBe(8082);
    book.release('a');
    expect(book.lease('c', [want(8080)])[0]?.hostPort).toBe(8080);
  });
});

describe('the firewall', () => {
  it('writes one table that replaces itself', () => {
    const rules = formatRuleset({
      table: 'minke', bridges: [{ name: 'minke0', subnet: '10.114.101.0/24', subnet6: undefined, masquerade: true, internal: false }],
      published: [
        { protocol: 'tcp', hostAddress: '', hostPort: 8080, containerAddress: '10.114.101.2', containerAddress6: '', containerPort: 80 },
        { protocol: 'udp', hostAddress: '192.0.2.1', hostPort: 53, containerAddress: '10.114.101.3', containerAddress6: '', containerPort: 5353 },
      ],
      ipv6: false,
    });
    expect(rules.startsWith('add table ip minke\ndelete table ip minke\ntable ip minke {\n')).toBe(true);
    expect(rules).toContain('    tcp dport 8080 dnat to 10.114.101.2:80\n    ip daddr 192.0.2.1 udp dport 53 dnat to 10.114.101.3:5353\n');
    expect(formatRuleset({ table: 't', bridges: [{ name: 'b', subnet: '10.0.0.0/8', subnet6: undefined, masquerade: false, internal: false }], published: [], ipv6: false })).not.toContain('oifname != "b" masquerade');
  });
});

describe('name resolution', () => {
  const none = { servers: [], search: [], options: [] };
  it('keeps the host’s servers but those on loopback', () => {
    expect(formatResolvConf('# c\nnameserver 127.0.0.53\nnameserver 192.0.2.7 # x\nsearch a b\noptions edns0\n', none, false)).toBe('nameserver 192.0.2.7\nsearch a b\noptions edns0\n');
    expect(formatResolvConf('nameserver 127.0.0.1\nnameserver ::1\n', none, false)).toBe('nameserver 8.8.8.8\nnameserver 8.8.4.4\n');
    expect(formatResolvConf('nameserver 127.0.0.1\n', none, true)).toBe('nameserver 127.0.0.1\n');
    expect(formatResolvConf('nameserver 192.0.2.7\nsearch a\n', { servers: ['10.114.101.1'], search: ['.'], options: ['ndots:2'] }, false)).toBe('nameserver 10.114.101.1\noptions ndots:2\n');
  });

  it('writes hosts', () => {
    expect(formatHosts([{ address: '10.0.0.2', names: ['box'] }]).split('\n').at(-2)).toBe('10.0.0.2\tbox');
    expect(parseExtraHost('db:1.2.3.4', '10.0.0.1')).toEqual({ address: '1.2.3.4', names: ['db'] });
    expect(parseExtraHost('up:host-gateway', '10.0.0.1')).toEqual({ address: '10.0.0.1', names: ['up'] });
    expect(parseExtraHost('six=[fe80::1]', '')).toEqual({ address: 'fe80::1', names: ['six'] });
    expect(parseExtraHost('nothing', '')).toBeUndefined();
    expect(parseExtraHost('db:rubbish', '')).toBeUndefined();
  });
});
