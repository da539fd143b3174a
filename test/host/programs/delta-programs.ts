// Deltas between programs: what they refer to is predicted, on every kind of machine, and damaged plans do no harm.
import { compare, concat } from 'host:bytes';
import { diff, player, type Lanes } from 'host:delta';
import * as fs from 'host:fs';
import type { Files } from '../../../src/engine/ports/index.ts';
import { systemErrorCode } from '../../../src/engine/error.ts';
import { check, equal, noise, ok } from './check.ts';

interface Machine {
  name: string;
  number: number;
  bits: 32 | 64;
  /** Bytes that call `target` from `site`. */
  call(site: number, target: number): number[];
}

const word = (value: number): number[] => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255];
const thumbCall = (by: number): number[] => {
  const sign = (by >> 24) & 1;
  const first = 0xf000 | (sign << 10) | ((by >> 12) & 0x3ff);
  const second = 0xd000 | ((((by >> 23) & 1) ^ sign ^ 1) << 13) | ((((by >> 22) & 1) ^ sign ^ 1) << 11) | ((by >> 1) & 0x7ff);
  return [first & 255, first >> 8, second & 255, second >> 8];
};

const machines: Machine[] = [
  { name: 'x86-64', number: 62, bits: 64, call: (site, target) => [0xe8, ...word(target - site - 5), 0x90, 0x90, 0x90] },
  { name: 'x86-64, references to data', number: 62, bits: 64, call: (site, target) => [0x48, 0x8d, 0x05, ...word(target - site - 7), 0x90] },
  { name: 'i386', number: 3, bits: 32, call: (site, target) => [0xe8, ...word(target - site - 5), 0x90, 0x90, 0x90] },
  { name: 'aarch64', number: 183, bits: 64, call: (site, target) => word(0x94000000 | (((target - site) >> 2) & 0x3ffffff)) },
  { name: 'aarch64, pages', number: 183, bits: 64, call: (site, target) => {
    const pages = (target >> 12) - (site >> 12);
    return [...word((0x90000003 | ((pages & 3) << 29) | (((pages >> 2) & 0x7ffff) << 5)) >>> 0), ...word((0x91000063 | ((target & 4095) << 10)) >>> 0)];
  } },
  { name: 'arm', number: 40, bits: 32, call: (site, target) => word((0xeb000000 | (((target - site - 8) >> 2) & 0xffffff)) >>> 0) },
  { name: 'arm, Thumb', number: 40, bits: 32, call: (site, target) => thumbCall(target - site - 4) },
];

const HEAD_BYTES = 4096;
const FUNCTION_BYTES = 96;
const ADDRESS = 0x10000;

/** A program of functions that call each other, and of a table with all their addresses; `order` says which functions, by number, each with its own noise. */
function program({ number, bits, call }: Machine, order: readonly number[]): Uint8Array {
  const size = order.length * FUNCTION_BYTES;
  const place = new Map(order.map((name, i) => [name, ADDRESS + HEAD_BYTES + i * FUNCTION_BYTES]));
  const code = order.map((name) => {
    const body = noise(FUNCTION_BYTES, name + 1).map((byte) => byte & 0x3f | 0x40);
    for (let k = 0; k < 4; k += 1) {
      const at = k * 24;
      const target = place.get((name * 7 + k * 13) % 600) ?? ADDRESS + HEAD_BYTES;
      body.set(call((place.get(name) ?? 0) + at, target), at);
    }
    return body;
  });
  const pointer = (value: number): number[] => [...word(value), ...(bits === 64 ? word(0) : [])];
  const table = new Uint8Array(order.toSorted((a, b) => a - b).flatMap((name) => pointer(place.get(name) ?? 0)));
  const head = new Uint8Array(HEAD_BYTES);
  const half = (value: number): number[] => [value & 255, value >> 8];
  const load = (flags: number, offset: number, bytes: number, memory: number): number[] => bits === 64
    ? [...word(1), ...word(flags), ...pointer(offset), ...pointer(ADDRESS + offset), ...pointer(ADDRESS + offset), ...pointer(bytes), ...pointer(memory), ...pointer(4096)]
    : [...word(1), ...word(offset), ...word(ADDRESS + offset), ...word(ADDRESS + offset), ...word(bytes), ...word(memory), ...word(flags), ...word(4096)];
  const heads = bits === 64 ? 64 : 52;
  head.set([0x7f, 0x45, 0x4c, 0x46, bits / 32, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...half(3), ...half(number), ...word(1), ...pointer(0), ...pointer(heads), ...pointer(0), ...word(0), ...half(heads), ...half(bits === 64 ? 56 : 32), ...half(2)]);
  head.set([...load(5, 0, HEAD_BYTES + size, HEAD_BYTES + size), ...load(6, HEAD_BYTES + size, table.length, table.length + 4096)], heads);
  return concat([head, ...code, table]);
}

const oldOrder = Array.from({ length: 600 }, (_, i) => i);
/** Some functions gone, others put in, two stretches of them exchanged. */
const newOrder = [...oldOrder.slice(0, 100), 1000, 1001, ...oldOrder.slice(101, 250), ...oldOrder.slice(400, 500), 1002, ...oldOrder.slice(250, 400), ...oldOrder.slice(500)];

interface Made {
  made: number;
  code: string;
}

/** Plays what may be anything; no more than `limit` bytes. */
function play(fd: number, sizeBytes: number, pieces: readonly Lanes[], out: Uint8Array): Made {
  let made = 0;
  try {
    const machine = player();
    machine.base(fd, sizeBytes);
    for (const lanes of pieces) {
      machine.group(lanes);
      made = machine.run(out, made);
      if (machine.stop !== 1) return { made, code: 'stopped' };
    }
    return { made, code: '' };
  } catch (error) {
    return { made, code: systemErrorCode(error) ?? String(error) };
  }
}

export async function deltaPrograms(files: Files, folder: string, rounds: number, seed: number): Promise<void> {
  let state = seed;
  const random = (below: number): number => (state = (state * 1103515245 + 12345) % 2147483648) % below;
  for (const machine of machines) {
    const [before, after] = [program(machine, oldOrder), program(machine, newOrder)];
    fs.writeFile(`${folder}/before`, before);
    fs.writeFile(`${folder}/after`, after);
    const [a, b] = [files.open(`${folder}/before`, 'read'), files.open(`${folder}/after`, 'read')];
    const { pieces, costBytes } = await diff(a, before.length, b, after.length);
    const lanes = pieces.map((piece) => piece.lanes);
    const out = new Uint8Array(after.length + 64);
    await check(`${machine.name}: addresses are predicted`, () => {
      equal(play(a, before.length, lanes, out), { made: after.length, code: '' });
      ok(compare(out.subarray(0, after.length), after) === 0, 'the same bytes');
      ok(lanes.some(([ops]) => ops.includes(9)), 'by a plan');
      // Three new functions of 96 bytes, and the calls that go to them or to one that is gone.
      ok(costBytes < 1100, `${costBytes} bytes`);
    });
    await check(`${machine.name}: damaged plans are errors or bytes`, () => {
      const codes = new Set<string>();
      for (let i = 0; i < rounds; i += 1) {
        const bad = lanes.map((list) => list.map((lane) => lane.slice())) as unknown as Uint8Array[][];
        for (let k = random(3); k >= 0; k -= 1) damage(bad[random(bad.length)] ?? [], random);
        codes.add(play(a, before.length, bad as unknown as Lanes[], out).code);
      }
      ok([...codes].every((code) => ['', 'stopped', 'CORRUPT', 'ESTALE'].includes(code)), [...codes].join());
      ok(rounds < 20 || codes.has('CORRUPT'), 'some are errors');
    });
    await check(`${machine.name}: a base that is no program any more, or a damaged one`, () => {
      for (let i = 0; i < rounds / 4; i += 1) {
        const bad = before.slice();
        if (i === 0) bad.fill(0);
        else for (let k = random(8); k >= 0; k -= 1) bad[random(i % 2 === 0 ? 200 : bad.length)] = random(256);
        fs.writeFile(`${folder}/bad`, bad);
        const fd = files.open(`${folder}/bad`, 'read');
        const { code } = play(fd, bad.length, lanes, out);
        files.close(fd);
        ok(i === 0 ? code === 'ESTALE' : ['', 'stopped', 'CORRUPT', 'ESTALE'].includes(code), code);
      }
    });
    files.close(a);
    files.close(b);
  }
}

function damage(lanes: Uint8Array[], random: (below: number) => number): void {
  const index = [0, 1, 2, 3, 6, random(7)][random(6)] ?? 0;
  const lane = lanes[index] ?? new Uint8Array(0);
  const at = random(Math.max(1, Math.min(lane.length, 1 << random(16))));
  const kind = random(4);
  if (kind === 0) lane[at] = random(256);
  else if (kind === 1) lane[at] = (lane[at] ?? 0) ^ (1 << random(8));
  else if (kind === 2) lanes[index] = lane.slice(0, at);
  else lanes[index] = concat([lane.subarray(0, at), new Uint8Array([random(256), 255, 255, random(256)]).subarray(0, 1 + random(4)), lane.subarray(at)]);
}
