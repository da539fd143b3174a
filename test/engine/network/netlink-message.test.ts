import { describe, expect, it } from 'vitest';
import { addAddress, addDefaultRoute, createVeth, getLink, parseLink } from '../../../src/engine/network/link-messages.ts';
import { decodeAttributes, decodeMessage } from '../../../src/engine/network/netlink-message.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('rtnetlink messages', () => {
  // Expected bytes were written by hand from linux/netlink.h and linux/rtnetlink.h.
  it('asks for a link by name', () => {
    expect(hex(getLink(7, 'eth0'))).toBe(
      ['2c000000', '1200', '0500', '07000000', '00000000', '00000000', '00000000', '00000000', '00000000', '0900', '0300', '65746830', '00000000'].join(''),
    );
  });

  it('adds an address', () => {
    expect(hex(addAddress(2, 5, 0x0a726502, 24, 0x0a7265ff))).toBe(
      ['30000000', '1400', '0506', '02000000', '00000000', '02180000', '05000000', '0800', '0200', '0a726502', '0800', '0100', '0a726502', '0800', '0400', '0a7265ff'].join(''),
    );
  });

  it('adds a default route', () => {
    expect(hex(addDefaultRoute(4, 5, 0x0a726501))).toBe(
      ['2c000000', '1800', '0506', '04000000', '00000000', '02000000', 'fe030001', '00000000', '0800', '0500', '0a726501', '0800', '0400', '05000000'].join(''),
    );
  });

  it('nests the peer of a veth pair with a header of its own', () => {
    const message = decodeMessage(createVeth(1, { hostName: 'vethabc', bridgeIndex: 9, mtu: 1400, peerName: 'eth0', peerMac: '02:42:0a:72:65:02', peerPid: 77 }));
    const link = decodeAttributes(message.payload, 16);
    const info = decodeAttributes(link.get(18) ?? new Uint8Array(0), 0);
    const peer = decodeAttributes(info.get(2) ?? new Uint8Array(0), 0).get(1) ?? new Uint8Array(0);
    const inside = decodeAttributes(peer, 16);
    expect(Buffer.from(info.get(1) ?? []).toString()).toBe('veth\0');
    expect(Buffer.from(inside.get(3) ?? []).toString()).toBe('eth0\0');
    expect(hex(inside.get(19) ?? new Uint8Array(0))).toBe('4d000000');
    expect(hex(inside.get(1) ?? new Uint8Array(0))).toBe('02420a726502');
    expect(hex(link.get(10) ?? new Uint8Array(0))).toBe('09000000');
    expect(message.payload[8]).toBe(1);
  });

  it('reads a link, and no more than there is', () => {
    const answer = Buffer.from(['34000000', '1000', '0000', '01000000', '00000000', '00000100', '03000000', '43100100', '00000000', '0900', '0300', '65746830', '00000000', '0700', '0300', '00'].join('').padEnd(104, '0'), 'hex');
    expect(parseLink(new Uint8Array(answer))).toMatchObject({ index: 3, up: true });
    expect(() => parseLink(new Uint8Array(answer.subarray(0, 40)))).toThrow('says it has');
    expect(decodeAttributes(new Uint8Array([255, 255, 1, 0]), 0).size).toBe(0);
  });
});
