// The host's own parsers, given what nobody writes: their errors are HostErrors, and the sanitizers watch over what they touch.
import { base64, compare, concat, cString, encode, equal as same, find, fromBase64, fromHex, hex, isZero, pathText, putTarNumber, putText, sum, tarNumber, text, xorMask } from 'host:bytes';
import { gunzip, gzip, unzstd, zstd, type Codec } from 'host:compress';
import { Sha256, sha256, verifySignature } from 'host:crypto';
import { headers, unpacker, packer, type Columns } from 'host:delta';
import { resolve } from 'host:dns';
import { HostError } from 'host:error';
import { tarHeaderBlocks } from '../../../src/engine/archive/index.ts';
import { check, noise, ok } from './check.ts';
import { SIGNED } from './crypto.ts';

type Random = (below: number) => number;

function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Bits flipped, stretches cut, doubled, overwritten. */
function damaged(bytes: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  let bad: Uint8Array<ArrayBuffer> = bytes.slice();
  for (let times = 1 + random(4); times > 0; times -= 1) {
    const [at, length] = [random(bad.length + 1), 1 + random(40)];
    const kind = random(6);
    if (kind === 0 && at < bad.length) bad[at] = (bad[at] ?? 0) ^ (1 << random(8));
    else if (kind === 1 && at < bad.length) bad[at] = [0, 1, 0x7f, 0x80, 0xff, random(256)][random(6)] ?? 0;
    else if (kind === 2) bad = concat([bad.subarray(0, at), bad.subarray(at + length)]);
    else if (kind === 3) bad = concat([bad.subarray(0, at), bad.subarray(at, at + length), bad.subarray(at)]);
    else if (kind === 4) bad = concat([bad.subarray(0, at), noise(length, random(1000)), bad.subarray(at)]);
    else bad = bad.slice(0, at);
  }
  return bad;
}

/** What `body` gives, or undefined where it throws one of these codes; RangeError is for arguments alone. */
function attempt<T>(codes: readonly string[], body: () => T): T | undefined {
  try {
    return body();
  } catch (error) {
    if (error instanceof HostError && codes.includes(error.code)) return undefined;
    if (error instanceof RangeError && codes.includes('RangeError')) return undefined;
    throw error;
  }
}

async function bytesChecks(rounds: number, random: Random): Promise<void> {
  const sample = concat([encode('a path/wíth ünicode \u{1f600} and\0NUL'), noise(200), new Uint8Array(64), encode('0000644\0 0001750 ')]);
  await check('bytes: any bytes, any offsets', () => {
    for (let round = 0; round < rounds * 10; round += 1) {
      const bytes = damaged(sample, random);
      const [from, to] = [random(bytes.length + 4), random(bytes.length + 40)];
      const needle = bytes.slice(random(bytes.length + 1), random(bytes.length + 1));
      ok(same(encode(pathText(bytes)), bytes), 'file names come back');
      attempt(['RangeError'], () => [text(bytes, from, to), pathText(bytes, from, to), cString(bytes, from, to), sum(bytes, from, to), isZero(bytes, from, to)]);
      const at = attempt(['RangeError'], () => find(bytes, needle, from));
      ok(at === undefined || at < 0 || (at >= from && same(bytes.subarray(at, at + needle.length), needle)), 'found where it is');
      ok(compare(bytes, bytes) === 0 && compare(bytes, needle) === -compare(needle, bytes), 'an order');
      const number = attempt(['RangeError'], () => tarNumber(bytes, from, from + random(14)));
      ok(number === undefined || Number.isNaN(number) || Number.isSafeInteger(number), `a tar number of ${number}`);
      ok(same(fromHex(hex(bytes)), bytes) && same(fromBase64(base64(bytes)), bytes) && same(fromBase64(base64(bytes, 'url')), bytes), 'there and back');
      attempt(['EINVAL'], () => fromHex(text(bytes)));
      attempt(['EINVAL'], () => fromBase64(text(bytes)));
      const copy = bytes.slice();
      xorMask(copy, needle.length === 0 ? new Uint8Array(4) : needle);
      xorMask(copy, needle.length === 0 ? new Uint8Array(4) : needle);
      ok(same(copy, bytes), 'masked twice');
      attempt(['RangeError'], () => putTarNumber(copy, from, from + 12, random(2 ** 31)));
      attempt(['RangeError'], () => putText(copy, from, to, text(needle)));
    }
  });
}

async function codecChecks(rounds: number, random: Random): Promise<void> {
  const data = concat([noise(5000), new Uint8Array(20_000), encode('all work and no play '.repeat(500))]);
  for (const [name, pack, unpack] of [['gzip', () => gzip(), () => gunzip()], ['zstd', () => zstd(), () => unzstd(1 << 20)]] as [string, () => Codec, () => Codec][]) {
    const good = unpackAll(pack(), data, random);
    const two = concat([good, good, new Uint8Array(10)]);
    await check(`${name}: damaged streams, in pieces of any size`, () => {
      let refused = 0;
      for (let round = 0; round < rounds; round += 1) {
        const codec = unpack();
        if (attempt(['CORRUPT', 'TRUNCATED'], () => unpackAll(codec, damaged(round % 2 === 0 ? good : two, random), random)) === undefined) refused += 1;
        codec.close();
      }
      ok(refused > rounds / 4, `${refused} of ${rounds} refused`);
    });
    await check(`${name}: noise behind a good beginning`, () => {
      for (let round = 0; round < rounds; round += 1) {
        const codec = unpack();
        attempt(['CORRUPT', 'TRUNCATED'], () => unpackAll(codec, concat([good.subarray(0, random(200)), noise(random(2000), round)]), random));
        codec.close();
      }
    });
  }
}

/** All of the output, of which there may be 64 MB at most. */
function unpackAll(codec: Codec, input: Uint8Array, random: Random): Uint8Array {
  const out: Uint8Array[] = [];
  let sizeBytes = 0;
  const pull = (): void => {
    for (let part = codec.pull(1 + random(70_000)); part !== null; part = codec.pull(1 + random(70_000))) {
      sizeBytes += part.length;
      ok(sizeBytes < 64 << 20, 'a bomb');
      if (sizeBytes < 1 << 20) out.push(part);
    }
  };
  for (let at = 0; at < input.length; ) {
    const step = 1 + random(random(3) === 0 ? 10 : 9000);
    codec.push(input.subarray(at, at + step));
    at += step;
    pull();
  }
  codec.finish();
  pull();
  return concat(out);
}

async function deltaChecks(rounds: number, random: Random): Promise<void> {
  const blocks = Array.from({ length: 20 }, (_, index) => tarHeaderBlocks({ path: `folder/${index}/${'n'.repeat(index * 4)}`, type: index % 3 === 0 ? 'directory' : 'file', mode: 0o644 + index, uid: index, gid: 0, sizeBytes: index * 1000, mtimeSeconds: 1_700_000_000 + index, mtimeNanoseconds: 0, linkPath: '', deviceMajor: 0, deviceMinor: 0, xattrs: new Map() }).subarray(0, 512));
  await check('columns of headers: damaged ones', () => {
    const writer = headers();
    for (const block of blocks) writer.put(block, 0);
    const columns = writer.take();
    for (let round = 0; round < rounds; round += 1) {
      const reader = headers();
      const bad = columns.map((column, index) => (random(3) === index % 3 ? damaged(column, random) : column)) as unknown as Columns;
      const block = new Uint8Array(512);
      attempt(['CORRUPT'], () => {
        reader.group(bad);
        for (let count = 0; count < 40; count += 1) reader.get(block, 0);
      });
    }
  });
  await check('columns of headers: blocks that are hardly any', () => {
    for (let round = 0; round < rounds; round += 1) {
      const writer = headers();
      const taken: Uint8Array[] = [];
      for (const block of blocks) {
        const bad = concat([damaged(block, random), new Uint8Array(512)]).slice(0, 512);
        if (writer.put(bad, 0)) taken.push(bad);
      }
      const reader = headers();
      reader.group(writer.take());
      const block = new Uint8Array(512);
      for (const expected of taken) {
        reader.get(block, 0);
        ok(same(block, expected), 'what was taken comes back');
      }
    }
  });
  await check('streams of deltas: damaged ones', async () => {
    const packed = await packer(3, 17, new Uint8Array(0)).pack(encode('words and words '.repeat(300)));
    for (let round = 0; round < rounds; round += 1) {
      const stream = unpacker(round % 2 === 0 ? new Uint8Array(0) : noise(1000));
      attempt(['CORRUPT'], () => stream.unpack(damaged(packed, random), 1 + random(10_000)));
      stream.close();
    }
  });
}

function keyBytes(pem: string): string {
  return pem.replaceAll(/-----[^-]*-----|\s/g, '');
}

async function cryptoChecks(rounds: number, random: Random): Promise<void> {
  await check('keys and signatures: damaged ones hold for nothing', () => {
    for (let round = 0; round < rounds; round += 1) {
      const [key, signature] = SIGNED[round % 2] ?? SIGNED[0];
      const good = fromHex(signature);
      const [badKey, bad] = round % 4 < 2 ? [key, damaged(good, random)] : [text(damaged(encode(key), random)), good];
      const holds = attempt(['EINVAL'], () => verifySignature(badKey, 'a release', bad)) === true;
      // Damage in what PEM does not read (a blank, a line end) is none, and ECDSA has more than one signature of a message.
      ok(!holds || (round % 4 < 2 ? same(bad, good) : keyBytes(badKey) === keyBytes(key)), `a signature of nobody: ${hex(bad)} by ${badKey}`);
    }
  });
  await check('saved hashes: damaged ones are refused, or are hashes of something else', () => {
    const saved = new Sha256().update('some').save();
    for (let round = 0; round < rounds; round += 1) {
      const hash = attempt(['EINVAL'], () => Sha256.restore(damaged(saved, random)));
      if (hash !== undefined) ok(/^[0-9a-f]{64}$/.test(hash.update('thing').hex()), 'a hash');
    }
    ok(Sha256.restore(saved).update('thing').hex() === sha256('something'), 'goes on');
  });
}

export async function fuzzProgram([, rounds = '200', seed = '1']: string[]): Promise<void> {
  const random = randomOf(Number(seed));
  await bytesChecks(Number(rounds), random);
  await codecChecks(Number(rounds), random);
  await deltaChecks(Number(rounds), random);
  await cryptoChecks(Number(rounds), random);
}

/** Names asked of a server that spoils its answers. */
export async function dnsFuzzProgram([port = '53', rounds = '100']: string[]): Promise<void> {
  await check('answers of a spoilt name server', async () => {
    const ask = async (round: number): Promise<void> => {
      const name = ['both.test', 'alias.test', 'long.test', 'four.test'][round % 4] ?? '';
      try {
        const found = await resolve(name, { servers: [`127.0.0.1:${port}`], attempts: 1, timeoutMs: 200 });
        ok(found.length > 0 && found.every(({ address, family }) => (family === 6) === address.includes(':')), JSON.stringify(found));
      } catch (error) {
        if (!(error instanceof HostError) || !['DNS_NOT_FOUND', 'DNS_FAILED', 'ETIMEDOUT'].includes(error.code)) throw error;
      }
    };
    for (let round = 0; round < Number(rounds); round += 10) await Promise.all(Array.from({ length: 10 }, (_, index) => ask(round + index)));
  });
}
