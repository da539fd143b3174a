import { describe, expect, it } from 'vitest';
import { formatGroup, formatHead, number, readGroup, readHead, type Take } from '../../../src/engine/delta/container.ts';
import { LANE_COUNT } from '../../../src/engine/delta/lanes.ts';

const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;

function taking(bytes: Uint8Array): Take & { left(): number } {
  let at = 0;
  const take = (count: number): Uint8Array => {
    if (count > bytes.length - at) throw new Error('cut short');
    return bytes.subarray(at, (at += count));
  };
  return Object.assign(take, { left: () => bytes.length - at });
}

describe('the container of a delta', () => {
  it('has a head as documented, byte by byte', () => {
    const head = formatHead({ diffId: digest('a'), sizeBytes: 300, baseDiffIds: [digest('b')] });
    expect(Buffer.from(head).toString('hex')).toBe(`${Buffer.from('MINKEDLT').toString('hex')}02${'aa'.repeat(32)}ac0201${'bb'.repeat(32)}`);
    const take = taking(head);
    expect(readHead(take)).toEqual({ diffId: digest('a'), sizeBytes: 300, baseDiffIds: [digest('b')] });
    expect(take.left()).toBe(0);
  });

  it('refuses other files, other versions and impossible counts', () => {
    const head = formatHead({ diffId: digest('a'), sizeBytes: 2 ** 40, baseDiffIds: [] });
    const changed = (at: number, value: number): Uint8Array => Uint8Array.from(head, (byte, index) => (index === at ? value : byte));
    expect(readHead(taking(head)).sizeBytes).toBe(2 ** 40);
    expect(() => readHead(taking(changed(0, 0)))).toThrow('does not begin as deltas do');
    expect(() => readHead(taking(changed(8, 1)))).toThrow('has format 1, and this engine knows 2');
    expect(() => readHead(taking(Uint8Array.from([...head.subarray(0, -1), 200, 1])))).toThrow('names 200 base layers');
    expect(() => readHead(taking(Uint8Array.from([...head.subarray(0, 41), ...Array.from({ length: 9 }, () => 255)])))).toThrow('a number is too large');
  });

  it('writes numbers of seven bits a byte', () => {
    expect([0, 127, 128, 300, 2 ** 53 - 1].map((value) => [...number(value)])).toEqual([[0], [127], [128, 1], [172, 2], [255, 255, 255, 255, 255, 255, 255, 15]]);
  });

  it('reads groups back, and takes no memory that one asks for in vain', () => {
    const lanes = Array.from({ length: LANE_COUNT }, (_, lane) => ({ sizeBytes: lane === 3 ? 5 : 0, packed: lane === 3 ? new Uint8Array([9, 9]) : new Uint8Array(0) }));
    const group = formatGroup(lanes, new Uint8Array(8).fill(7));
    const unpack = (lane: number, packed: Uint8Array, sizeBytes: number): Uint8Array => new Uint8Array(sizeBytes).fill(lane * 10 + packed.length);
    const read = readGroup(taking(group.subarray(1)), unpack, { unpacked: 5, packed: 2 });
    expect(read.lanes.map((lane) => lane.length)).toEqual([0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect([...read.check]).toEqual(Array.from({ length: 8 }, () => 7));
    expect(() => readGroup(taking(group.subarray(1)), unpack, { unpacked: 4, packed: 2 })).toThrow('too large');
    expect(() => readGroup(taking(group.subarray(1)), unpack, { unpacked: 5, packed: 1 })).toThrow('too large');
  });
});
