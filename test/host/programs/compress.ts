import { concat, encode, equal as sameBytes, text } from 'host:bytes';
import { detect, gunzip, gzip, unzstd, zstd, type Codec } from 'host:compress';
import { check, equal, fails, noise, ok } from './check.ts';

/** Runs data through a codec in steps. */
function through(codec: Codec, data: Uint8Array, step = 65536, maxBytes = 65536): Uint8Array {
  const out: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += step) {
    codec.push(data.subarray(at, at + step));
    for (let piece; (piece = codec.pull(maxBytes)) !== null; ) out.push(piece);
  }
  codec.finish();
  for (let piece; (piece = codec.pull(maxBytes)) !== null; ) out.push(piece);
  codec.close();
  return concat(out);
}

const mixed = concat([noise(15_000), new Uint8Array(60_000), encode('all work and no play '.repeat(2500)), noise(10_000, 2)]);
const pairs: [string, () => Codec, () => Codec][] = [
  ['gzip', () => gzip(), () => gunzip()],
  ['zstd', () => zstd(), () => unzstd()],
];

async function damage(name: string, pack: () => Codec, unpack: () => Codec): Promise<void> {
  const packed = through(pack(), mixed);
  await check(`${name}: every truncation is noticed`, () => {
    const cuts = [0, 1, 5, 10, 20, packed.length >> 1, packed.length - 9, packed.length - 5, packed.length - 4, packed.length - 1];
    for (const cut of cuts) {
      const error = fails('TRUNCATED', () => through(unpack(), packed.subarray(0, cut)));
      ok(error.message.includes('TRUNCATED'), error.message);
    }
  });
  await check(`${name}: flipped bits are noticed`, () => {
    let noticed = 0;
    const places = [0, 1, 2, 12, 100, 1000, 5000, packed.length >> 1, packed.length - 20, packed.length - 6, packed.length - 3];
    for (const place of places) {
      const bad = packed.slice();
      bad[place] = (bad[place] ?? 0) ^ 0x10;
      try {
        ok(sameBytes(through(unpack(), bad), mixed), `damage at ${place} gave other data without a word`);
      } catch (error) {
        if (!(error instanceof Error) || !/CORRUPT|TRUNCATED/.test(error.message)) throw error;
        noticed++;
      }
    }
    ok(noticed >= places.length - 1, `${noticed} of ${places.length} noticed`);
  });
}

export async function compressProgram(): Promise<void> {
  for (const [name, pack, unpack] of pairs) {
    await check(`${name}: there and back, in steps of any size`, () => {
      for (const [step, maxBytes] of [[65536, 65536], [1000, 777], [7, 65536], [1_000_000, 100]] as const) {
        const packed = through(pack(), mixed, step, maxBytes);
        ok(packed.length < mixed.length / 2, 'it is smaller');
        ok(sameBytes(through(unpack(), packed, step, maxBytes), mixed), `steps of ${step}, pieces of ${maxBytes}`);
      }
      equal(through(unpack(), through(pack(), new Uint8Array(0))).length, 0);
    });
    await check(`${name}: concatenated streams are one`, () => {
      const packed = concat([through(pack(), encode('one ')), through(pack(), new Uint8Array(0)), through(pack(), encode('two'))]);
      for (const step of [1, 65536]) equal(text(through(unpack(), packed, step)), 'one two');
    });
    await check(`${name}: the same input gives the same bytes`, () => {
      ok(sameBytes(through(pack(), mixed), through(pack(), mixed)), 'equal');
    });
    await damage(name, pack, unpack);
  }
  await check('gzip: zero padding may follow, other bytes may not', () => {
    const packed = through(gzip(), encode('data'));
    equal(text(through(gunzip(), concat([packed, new Uint8Array(1000)]))), 'data');
    fails('CORRUPT', () => through(gunzip(), concat([packed, encode('junk')])));
    fails('CORRUPT', () => through(gunzip(), concat([packed, new Uint8Array(10), packed])));
  });
  await check('zstd: skippable frames are skipped, huge windows refused', () => {
    const packed = through(zstd(), mixed);
    const skippable = concat([new Uint8Array([0x50, 0x2a, 0x4d, 0x18, 5, 0, 0, 0]), encode('12345')]);
    ok(sameBytes(through(unzstd(), concat([skippable, packed, skippable])), mixed), 'data');
    fails('CORRUPT', () => through(unzstd(1024), packed));
  });
  await check('a bomb comes out in small pieces', () => {
    const packed = through(gzip(9), new Uint8Array(8_000_000));
    const codec = gunzip();
    codec.push(packed);
    let pieces = 0;
    for (let piece; (piece = codec.pull(4096)) !== null && pieces < 100; ) {
      ok(piece.length <= 4096, 'bounded');
      pieces++;
    }
    equal(pieces, 100);
    equal(codec.outputBytes, 409_600 + 4096);
    ok(codec.inputBytes < packed.length, 'it waits');
    codec.close();
  });
  await check('misuse is refused', () => {
    const codec = gunzip();
    codec.push(through(gzip(), mixed));
    fails('EBUSY', () => codec.push(new Uint8Array(1)));
    fails('EBUSY', () => codec.finish());
    codec.close();
    codec.close();
    fails('ECANCELED', () => codec.pull());
  });
  await check('detect', () => {
    equal(detect(through(gzip(), mixed).subarray(0, 4)), 'gzip');
    equal(detect(through(zstd(), mixed).subarray(0, 4)), 'zstd');
    equal(detect(encode('plain')), null);
    equal(detect(new Uint8Array(2)), null);
  });
}
