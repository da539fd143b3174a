import { compare, concat, encode } from 'host:bytes';
import { diff, fingerprint, headers, packer, player, sortSuffixes, unpacker, type Lanes } from 'host:delta';
import { sha256 } from 'host:crypto';
import * as fs from 'host:fs';
import { applyDelta, createDelta, indexBase, openBase, readDeltaHead, type DeltaBase } from '../../../src/engine/delta/index.ts';
import { TAR_END, tarHeaderBlocks, tarPadding, type TarMember } from '../../../src/engine/archive/index.ts';
import { EngineError } from '../../../src/engine/error.ts';
import { openLayerStore, type LayerStore } from '../../../src/engine/images/index.ts';
import type { ByteSource, Files } from '../../../src/engine/ports/index.ts';
import { enginePaths, openDataRoot } from '../../../src/engine/store/index.ts';
import { hostReporter, hostSystem } from '../../../src/engine/system/index.ts';
import { check, equal, fails, noise, ok } from './check.ts';
import { deltaPrograms } from './delta-programs.ts';

const { files } = hostSystem(hostReporter('error'));

type Entry = [path: string, content: Uint8Array | null, changes?: Partial<TarMember>];

function archive(entries: readonly Entry[]): Uint8Array {
  const parts = entries.flatMap(([path, content, changes]) => {
    const member: TarMember = {
      path, type: content === null ? 'directory' : 'file', mode: content === null ? 0o755 : 0o644, uid: 0, gid: 0, sizeBytes: content?.length ?? 0, mtimeSeconds: 1_700_000_000, mtimeNanoseconds: 0,
      linkPath: '', deviceMajor: 0, deviceMinor: 0, xattrs: new Map(), ...changes,
    };
    return content === null || member.type !== 'file' ? [tarHeaderBlocks(member)] : [tarHeaderBlocks(member), content, tarPadding(content.length)];
  });
  return concat([...parts, TAR_END]);
}

/** In pieces of a size, as a slow network gives them. */
function inPieces(bytes: Uint8Array, pieceBytes = 50_000): ByteSource {
  let at = 0;
  return { read: () => Promise.resolve(at >= bytes.length ? null : bytes.slice(at, (at += pieceBytes))) };
}

/** Some bytes changed, some put in, some taken out: as a new version of a program has it. */
function edited(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  for (let at = 100; at < copy.length; at += 1777) copy[at] = (copy[at] ?? 0) + 3;
  const third = Math.floor(copy.length / 3);
  return concat([copy.subarray(0, third), encode('something new in the middle'), copy.subarray(third, 2 * third), copy.subarray(2 * third + 11)]);
}

/** Noise that does not repeat itself. */
function rough(sizeBytes: number, seed = 1): Uint8Array {
  return concat(Array.from({ length: Math.ceil(sizeBytes / 16_384) }, (_, i) => noise(16_384, seed * 1000 + i))).subarray(0, sizeBytes);
}

const text = encode('the quick brown fox jumps over the lazy dog and goes on\n'.repeat(400));
const long = `opt/app/${'deep/'.repeat(30)}file.js`;
const before: Entry[] = [
  ['opt/', null], ['opt/app-1.9.0/', null], ['opt/app-1.9.0/program', rough(700_000)], ['opt/app-1.9.0/text', text], ['opt/app-1.9.0/empty', new Uint8Array(0)],
  ['opt/app-1.9.0/link', null, { type: 'symlink', linkPath: 'program' }], ['opt/app-1.9.0/tool', noise(30_000, 7), { mode: 0o4755, uid: 1000, gid: 50 }], [long, text.subarray(0, 4000)],
];
const after: Entry[] = [
  ['opt/', null, { mtimeSeconds: 1_700_900_000 }], ['opt/app-1.10.0/', null, { mtimeSeconds: 1_700_900_000 }], ['opt/app-1.10.0/program', edited(rough(700_000)), { mtimeSeconds: 1_700_900_000 }],
  ['opt/app-1.10.0/.wh.old', new Uint8Array(0)], ['opt/app-1.10.0/text', text, { mtimeSeconds: 1_700_900_001 }], ['opt/app-1.10.0/empty', new Uint8Array(0)],
  ['opt/app-1.10.0/link', null, { type: 'symlink', linkPath: 'program' }], ['opt/app-1.10.0/hard', null, { type: 'hardlink', linkPath: 'opt/app-1.10.0/text' }],
  ['opt/app-1.10.0/tool', noise(30_000, 7), { mode: 0o755, uid: 1000, gid: 50 }], ['opt/app-1.10.0/new', noise(5000, 99)], ['opt/app-1.10.0/new', encode('twice in one archive')],
  [long, concat([text.subarray(0, 3000), encode('and more')]), { mtimeNanoseconds: 5_000_000 }], ['opt/app-1.10.0/caps', noise(300, 3), { xattrs: new Map([['user.note', encode('kept')]]) }],
];

async function collect(source: ByteSource): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let part = await source.read(); part !== null; part = await source.read()) parts.push(part);
  return concat(parts);
}

interface Bench {
  files: Files;
  layers: LayerStore;
  add(tar: Uint8Array, pieceBytes?: number): Promise<string>;
  base(diffIds: readonly string[]): DeltaBase;
  create(target: string, base: DeltaBase): Promise<Uint8Array>;
  apply(delta: Uint8Array, base: DeltaBase): Promise<Uint8Array>;
  folder: string;
}

async function openBench(folder: string): Promise<Bench> {
  const system = hostSystem(hostReporter('error'));
  const { files } = system;
  const paths = enginePaths(`${folder}/data`, `${folder}/run`);
  await openDataRoot(files, paths, (path, error) => {
    throw new Error(`${path}: ${String(error)}`);
  });
  const layers = openLayerStore(files, system.machine, paths, (path, error) => {
    throw new Error(`${path}: ${String(error)}`);
  });
  return {
    files, layers, folder: paths.layers,
    async add(tar, pieceBytes) {
      const staged = await layers.stage(inPieces(tar, pieceBytes), 'overlay');
      await layers.commit([staged]);
      equal(staged.diffId, `sha256:${sha256(tar)}`, 'diffID');
      return staged.diffId;
    },
    base: (diffIds) => openBase(diffIds.map((diffId) => ({ diffId, contents: layers.tar(diffId).contents() }))),
    async create(target, base) {
      const parts: Uint8Array[] = [];
      await createDelta(files, { diffId: target, tar: layers.tar(target) }, base, await indexBase(files, base), (bytes) => void parts.push(bytes));
      return concat(parts);
    },
    async apply(delta, base) {
      const path = `${folder}/delta`;
      fs.writeFile(path, delta);
      const fd = files.open(path, 'read');
      const source = applyDelta(files, fd, base);
      try {
        return await collect(source);
      } finally {
        source.close();
        files.close(fd);
      }
    },
  };
}

async function formatChecks(folder: string, rounds: number, seed: number): Promise<void> {
  const bench = await openBench(folder);
  const oldTar = archive(before);
  const newTar = archive(after);
  const oldId = await bench.add(oldTar);
  const newId = await bench.add(newTar);
  const base = bench.base([oldId]);
  const delta = await bench.create(newId, base);
  await check('a delta gives the exact archive, and is much smaller', async () => {
    ok(compare(await bench.apply(delta, base), newTar) === 0, 'the same bytes');
    ok(delta.length < 14_000, `${delta.length} bytes`);
  });
  await check('the same input gives the same delta', async () => {
    equal(sha256(await bench.create(newId, bench.base([oldId]))), sha256(delta));
  });
  await check('however the base arrived: its record is cut otherwise', async () => {
    await bench.layers.remove(oldId);
    await bench.add(oldTar, 333);
    ok(compare(await bench.apply(delta, bench.base([oldId])), newTar) === 0, 'the same bytes');
  });
  await check('without any base, and of an empty archive', async () => {
    const none = bench.base([]);
    const fresh = bench.base([oldId]);
    ok(compare(await bench.apply(await bench.create(newId, none), none), newTar) === 0, 'whole');
    const empty = await bench.add(TAR_END);
    ok(compare(await bench.apply(await bench.create(empty, fresh), fresh), TAR_END) === 0, 'empty');
  });
  await check('rebuilt with other times alone: hardly anything', async () => {
    const many: Entry[] = Array.from({ length: rounds * 4 }, (_, i) => [`data/${i >> 6}/file-${i}`, encode(`content of ${i}`)]);
    const one = await bench.add(archive(many));
    const other = archive(many.map(([path, content]) => [path, content, { mtimeSeconds: 1_700_500_000 }]));
    const small = await bench.create(await bench.add(other), bench.base([one]));
    ok(compare(await bench.apply(small, bench.base([one])), other) === 0, 'the same bytes');
    ok(small.length < 700, `${small.length} bytes`);
  });
  await check('what it says of itself', () => {
    fs.writeFile(`${folder}/delta`, delta);
    const fd = bench.files.open(`${folder}/delta`, 'read');
    const head = readDeltaHead(bench.files, fd);
    bench.files.close(fd);
    equal(head, { diffId: newId, sizeBytes: newTar.length, baseDiffIds: [oldId] });
  });
  await fuzz(bench, delta, newTar, bench.base([oldId]), rounds, seed);
  await check('a changed base is noticed, a shorter one too', async () => {
    const program = `${bench.folder}/${oldId.slice(7, 23)}/diff/opt/app-1.9.0/program`;
    const whole = fs.readFile(program);
    for (const other of [concat([new Uint8Array([1]), whole.subarray(1)]), whole.subarray(0, 1000)]) {
      fs.writeFile(program, other);
      equal(await codeOf(() => bench.apply(delta, bench.base([oldId]))), 'DELTA_BASE_CHANGED');
    }
    fs.unlink(program);
    equal(await codeOf(() => bench.apply(delta, bench.base([oldId]))), 'DELTA_BASE_CHANGED');
    fs.writeFile(program, whole);
    ok(compare(await bench.apply(delta, bench.base([oldId])), newTar) === 0, 'whole again');
  });
}

async function codeOf(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
    return 'none';
  } catch (error) {
    if (error instanceof EngineError) return error.code;
    throw error;
  }
}

/** Whatever is done to a delta: an error of ours, or the right bytes (a bit that means nothing). */
async function fuzz(bench: Bench, delta: Uint8Array, wanted: Uint8Array, base: DeltaBase, rounds: number, start: number): Promise<void> {
  const codes = new Map<string, number>();
  const attempt = async (bad: Uint8Array, what: string): Promise<void> => {
    let made: Uint8Array | undefined;
    const code = await codeOf(async () => {
      made = await bench.apply(bad, base);
    });
    if (made !== undefined) ok(compare(made, wanted) === 0, `${what} gave other bytes without a word`);
    else ok(/^DELTA_(?:DAMAGED|VERSION|BASE_CHANGED)$/.test(code), `${what}: ${code}`);
    codes.set(code, (codes.get(code) ?? 0) + 1);
  };
  let seed = start;
  const random = (below: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
  await check('every truncation is an error', async () => {
    for (let i = 0; i < rounds / 4; i += 1) await attempt(delta.subarray(0, i < rounds / 8 ? i : random(delta.length - 1)), 'cut');
    equal(codes.get('none') ?? 0, 0);
  });
  await check('flipped bits and overwritten stretches are errors', async () => {
    for (let i = 0; i < rounds; i += 1) {
      const bad = delta.slice();
      const at = i % 5 === 1 ? Math.floor(i / 5) : random(bad.length);
      if (i % 5 === 0) bad.fill(random(256), at, at + random(40));
      else bad[at] = (bad[at] ?? 0) ^ (1 << random(8));
      await attempt(bad, `damage ${i} at ${at}`);
    }
    ok((codes.get('DELTA_DAMAGED') ?? 0) > rounds / 5, JSON.stringify([...codes]));
  });
  await check('noise behind a good head is an error', async () => {
    const head = delta.subarray(0, 8 + 1 + 32 + 3 + 1 + 32);
    for (let i = 0; i < rounds / 5; i += 1) await attempt(concat([head, noise(1 + random(3000), i)]), `noise ${i}`);
  });
}

/** Instructions that no encoder writes, given to the player itself. */
async function playerChecks(folder: string): Promise<void> {
  const path = `${folder}/base`;
  fs.writeFile(path, encode('0123456789'));
  const fd = files.open(path, 'read');
  const nothing = new Uint8Array(0);
  const play = (ops: number[], lengths: number[], raws: number[], moves: number[], data = nothing): string => {
    const machine = player();
    machine.base(fd, 10);
    machine.group([ops, lengths, raws, moves].map((bytes) => new Uint8Array(bytes)).concat([data, data, nothing]) as unknown as Lanes);
    const out = new Uint8Array(100);
    const end = machine.run(out, 0);
    return String.fromCharCode(...out.subarray(0, end));
  };
  await check('player: copies, moves, adds', () => {
    equal(play([4, 7, 4], [3, 2], [], [2]), '01245');
    equal(play([5], [2], [], [], new Uint8Array([1, 255])), '10');
    equal(play([6, 3], [], [2], [], encode('ab')), 'ab0123456789');
  });
  await check('player: what leaves the file or the streams is refused', () => {
    for (const [ops, lengths, raws, moves] of [[[4], [11], [], []], [[4], [255], [], []], [[4], [], [], []], [[7], [], [], [1]], [[7], [], [], [22]], [[5], [1], [], []], [[6], [], [1], []], [[10], [], [1], []], [[11], [], [1], []], [[12], [], [], []], [[200], [], [], []]] as const) {
      fails('CORRUPT', () => play([...ops], [...lengths], [...raws], [...moves]));
    }
    fails('CORRUPT', () => play([4], [255, 255, 255, 255, 255, 255, 255, 255, 255, 1], [], []));
  });
  await check('player: a group must be used up before the next', () => {
    const machine = player();
    machine.group([new Uint8Array([6]), nothing, new Uint8Array([1]), nothing, nothing, encode('a'), nothing]);
    fails('CORRUPT', () => machine.group([nothing, nothing, nothing, nothing, nothing, nothing, nothing]));
  });
  files.close(fd);
}

async function partChecks(folder: string, rounds: number): Promise<void> {
  await check('suffixes are sorted', () => {
    const texts = [nothingOf(0), nothingOf(1), nothingOf(rounds / 2), encode('banana'), encode('mississippi'.repeat(9)), encode('ab'.repeat(rounds / 5)), noise(rounds * 6), encode(`${'aab'.repeat(rounds / 5)}aac`), noise(rounds * 4).map((byte) => byte & 1)];
    for (const bytes of texts) {
      const order = sortSuffixes(bytes);
      equal(new Set(order).size, bytes.length, 'all of them');
      for (let i = 1; i < order.length; i += 1) ok(compare(bytes.subarray(order[i - 1] ?? 0), bytes.subarray(order[i] ?? 0)) < 0, `order of ${bytes.length}`);
    }
  });
  await check('streams are packed piece by piece, with a prefix', async () => {
    const prefix = rough(100_000);
    const pack = packer(19, 21, prefix);
    const pieces = [prefix.subarray(50_000, 90_000), encode('x'), noise(3000, 4), new Uint8Array(200_000)];
    const unpack = unpacker(prefix);
    for (const piece of pieces) {
      const packed = await pack.pack(piece);
      if (piece === pieces[0]) ok(packed.length < 100, 'the prefix is known');
      ok(compare(unpack.unpack(packed, piece.length), piece) === 0, 'the same');
    }
    const other = packer(3, 21, new Uint8Array(0));
    const packed = await other.pack(text);
    fails('CORRUPT', () => unpacker(new Uint8Array(0)).unpack(packed, text.length - 1));
    fails('CORRUPT', () => unpacker(new Uint8Array(0)).unpack(packed, text.length + 1));
    fails('CORRUPT', () => unpacker(new Uint8Array(0)).unpack(packed.subarray(0, packed.length - 4), text.length));
  });
  await check('headers become columns and come back', () => {
    const blocks = [archive(before), archive(after)].flatMap((tar) => Array.from({ length: tar.length / 512 }, (_, i) => tar.subarray(i * 512, i * 512 + 512)));
    const writer = headers();
    const taken = blocks.filter((block) => writer.put(block, 0));
    ok(taken.length > before.length + after.length && taken.length < 60, `${taken.length} headers`);
    const reader = headers();
    reader.group(writer.take());
    const block = new Uint8Array(512);
    for (const expected of taken) {
      reader.get(block, 0);
      ok(compare(block, expected) === 0, 'the same header');
    }
    fails('CORRUPT', () => reader.get(block, 0));
  });
  await check('diff: similar files cost little, others what they are', async () => {
    const old = rough(400_000);
    fs.writeFile(`${folder}/old`, old);
    fs.writeFile(`${folder}/new`, edited(old));
    const [a, b] = [files.open(`${folder}/old`, 'read'), files.open(`${folder}/new`, 'read')];
    const size = edited(old).length;
    ok((await diff(a, 400_000, b, size)).costBytes < 8000, 'small');
    ok((await diff(a, 0, b, size)).costBytes > 390_000, 'against nothing');
    equal((await fingerprint(b, size)).sha256, sha256(edited(old)));
    const [one, other] = [(await fingerprint(a, 400_000)).sketch, (await fingerprint(b, size)).sketch];
    ok(one.filter((piece) => other.includes(piece)).length >= 2, 'sketches agree in part');
    files.close(a);
    files.close(b);
  });
}

function nothingOf(sizeBytes: number): Uint8Array {
  return new Uint8Array(sizeBytes);
}

export async function deltaProgram([folder = '', rounds = '500', seed = '12345']: string[]): Promise<void> {
  await partChecks(folder, Number(rounds));
  await playerChecks(folder);
  await deltaPrograms(files, folder, Math.ceil(Number(rounds) / 3), Number(seed));
  await formatChecks(folder, Number(rounds), Number(seed));
}
