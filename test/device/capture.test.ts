import { describe, expect, test } from 'vitest';

import { announcedAddresses, udpDatagrams } from '../../src/device/capture.ts';

/** An Ethernet frame with a UDP datagram over IPv4. */
function frame(destination: string, port: number, payload: Buffer): Buffer {
  const ip = Buffer.alloc(28 + payload.length);
  ip[0] = 0x45;
  ip[9] = 17;
  ip.set([10, 0, 2, 15], 12);
  ip.set(destination.split('.').map(Number), 16);
  ip.writeUInt16BE(5353, 20);
  ip.writeUInt16BE(port, 22);
  ip.writeUInt16BE(8 + payload.length, 24);
  payload.copy(ip, 28);
  return Buffer.concat([Buffer.alloc(12), Buffer.from([8, 0]), ip]);
}

function capture(...frames: Buffer[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  return Buffer.concat([
    head,
    ...frames.flatMap((bytes) => {
      const record = Buffer.alloc(16);
      record.writeUInt32LE(bytes.length, 8);
      record.writeUInt32LE(bytes.length, 12);
      return [record, bytes];
    }),
  ]);
}

/** A multicast DNS answer: PTR for a service, then an A record whose name points into the first. */
const answer = Buffer.from(['000084000000000200000000045f737368045f746370056c6f63616c00000c0001000000780008056d696e6b65c016056d696e6b65c016000180', '010000007800040a00020f'].join(''), 'hex');

describe('multicast names seen in a capture', () => {
  test('an announcement with compressed names', () => {
    expect(announcedAddresses(capture(frame('224.0.0.251', 5353, answer)), 'minke.local')).toEqual(['10.0.2.15']);
  });
  test('another name, another port, and a mere question do not count', () => {
    const question = Buffer.from(answer);
    question.writeUInt16BE(0, 2);
    const packets = capture(frame('224.0.0.251', 53, answer), frame('224.0.0.251', 5353, question));
    expect(announcedAddresses(packets, 'minke.local')).toEqual([]);
    expect(announcedAddresses(capture(frame('224.0.0.251', 5353, answer)), 'other.local')).toEqual([]);
  });
  test('a capture that ends in the middle of a packet gives the packets before', () => {
    const whole = capture(frame('224.0.0.251', 5353, answer), frame('10.0.2.3', 53, Buffer.from('xx')));
    expect([...udpDatagrams(whole)]).toHaveLength(2);
    expect([...udpDatagrams(whole.subarray(0, whole.length - 1))]).toHaveLength(1);
    expect(announcedAddresses(capture(frame('224.0.0.251', 5353, answer.subarray(0, 40))), 'minke.local')).toEqual([]);
  });
});
