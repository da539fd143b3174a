import * as bytes from 'host:bytes';
import { check, equal, fails, ok } from './check.ts';

const raw = (...values: number[]): Uint8Array => new Uint8Array(values);

export async function bytesProgram(): Promise<void> {
  await check('text takes well-formed UTF-8 as it is', () => {
    for (const text of ['', 'plain', 'Grüße', '日本語', '🦊 fox', '\u0000\u0001']) equal(bytes.text(bytes.encode(text)), text);
  });
  await check('text replaces what is malformed', () => {
    equal(bytes.text(raw(0x61, 0xff, 0x62)), 'a\ufffdb');
    equal(bytes.text(raw(0xc0, 0xaf)), '\ufffd\ufffd', 'overlong');
    equal(bytes.text(raw(0xed, 0xa0, 0x80)), '\ufffd\ufffd\ufffd', 'surrogate');
    equal(bytes.text(raw(0xf0, 0x9f, 0xa6)), '\ufffd\ufffd\ufffd', 'cut off');
  });
  await check('paths of any bytes come back as the same bytes', () => {
    const all = new Uint8Array(255).map((_, i) => i + 1);
    equal(bytes.compare(bytes.encode(bytes.pathText(all)), all), 0);
    equal(bytes.pathText(raw(0xff)), '\udcff');
    const surrogate = raw(0xed, 0xb2, 0x80); // itself no UTF-8
    equal(bytes.compare(bytes.encode(bytes.pathText(surrogate)), surrogate), 0);
  });
  await check('cString ends at the first NUL or at the end of the field', () => {
    equal(bytes.cString(bytes.encode('abc\0def'), 0, 7), 'abc');
    equal(bytes.cString(bytes.encode('abcdef'), 2, 5), 'cde');
  });
  await check('offsets are checked', () => {
    const some = raw(1, 2, 3);
    let thrown: unknown;
    try {
      bytes.text(some, 4);
    } catch (error) {
      thrown = error;
    }
    ok(thrown instanceof RangeError, 'a RangeError');
    equal(bytes.text(some, 3, 99), '');
    equal(bytes.text(some.subarray(1), 0, 1), '\u0002', 'a view begins at its own offset');
  });
  await check('xorMask repeats its mask', () => {
    const data = raw(1, 2, 3, 4, 5);
    bytes.xorMask(data.subarray(1), raw(0xff, 0));
    equal(bytes.hex(data), '01fd03fb05');
    bytes.xorMask(raw(), raw(1));
  });
  await check('find', () => {
    const haystack = bytes.encode('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    equal(bytes.find(haystack, '\r\n'), 14);
    equal(bytes.find(haystack, '\r\n', 15), 23);
    equal(bytes.find(haystack, 10), 15);
    equal(bytes.find(haystack, 'nowhere'), -1);
    equal(bytes.find(haystack, raw(13, 10, 13, 10)), 23);
    equal(bytes.find(new Uint8Array(0), 'x'), -1);
  });
  await check('compare and equal', () => {
    equal(bytes.compare(raw(1, 2), raw(1, 3)), -1);
    equal(bytes.compare(raw(200), raw(100)), 1, 'unsigned');
    equal(bytes.compare(raw(1), raw(1, 0)), -1);
    equal(bytes.equal(raw(1, 2), raw(1, 2)), true);
    equal(bytes.equal(raw(1, 2), raw(1)), false);
  });
  await check('concat, sum and isZero', () => {
    equal(bytes.concat([raw(1), new Uint8Array(0), raw(2, 3)]), raw(1, 2, 3));
    equal(bytes.concat([]).length, 0);
    equal(bytes.sum(new Uint8Array(1000).fill(255)), 255000);
    equal(bytes.isZero(new Uint8Array(512)), true);
    equal(bytes.isZero(raw(0, 0, 1)), false);
    equal(bytes.isZero(raw(0, 0, 1), 0, 2), true);
  });
  await check('numbers of tar headers', () => {
    const field = (text: string): number => bytes.tarNumber(bytes.encode(text), 0, text.length);
    equal(field('0000644\0'), 0o644);
    equal(field('     17 '), 0o17);
    equal(field('\0\0\0\0'), 0);
    equal(field('77777777777\0'), 0o77777777777);
    equal(Number.isNaN(field('12x4\0')), true);
    equal(Number.isNaN(field('9\0')), true);
    equal(bytes.tarNumber(raw(0x80, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0), 0, 12), 131072);
    equal(bytes.tarNumber(new Uint8Array(12).fill(255), 0, 12), -1);
    equal(Number.isNaN(bytes.tarNumber(new Uint8Array(12).fill(0x7f), 0, 12)), true);
  });
  await check('numbers written into tar headers are read back', () => {
    for (const value of [0, 7, 8, 0o7777777, 8589934591, 8589934592, 2 ** 40, Number.MAX_SAFE_INTEGER, -1, -86400]) {
      const field = new Uint8Array(12);
      bytes.putTarNumber(field, 0, 12, value);
      equal(bytes.tarNumber(field, 0, 12), value);
    }
    const mode = new Uint8Array(8);
    bytes.putTarNumber(mode, 0, 8, 0o755);
    equal(bytes.text(mode), '0000755\0');
  });
  await check('putText cuts at the end and tells the whole length', () => {
    const field = new Uint8Array(4);
    equal(bytes.putText(field, 0, 4, 'abcdef'), 6);
    equal(bytes.text(field), 'abcd');
  });
  await check('hexadecimal', () => {
    equal(bytes.hex(raw(0, 15, 255)), '000fff');
    equal([...bytes.fromHex('000FfF')], [0, 15, 255]);
    fails('EINVAL', () => bytes.fromHex('abc'));
    fails('EINVAL', () => bytes.fromHex('zz'));
  });
  await check('base64 (RFC 4648, section 10)', () => {
    const vectors: [string, string][] = [['', ''], ['f', 'Zg=='], ['fo', 'Zm8='], ['foo', 'Zm9v'], ['foob', 'Zm9vYg=='], ['fooba', 'Zm9vYmE='], ['foobar', 'Zm9vYmFy']];
    for (const [text, coded] of vectors) {
      equal(bytes.base64(bytes.encode(text)), coded);
      equal(bytes.text(bytes.fromBase64(coded)), text);
      equal(bytes.text(bytes.fromBase64(coded.replaceAll('=', ''))), text, 'unpadded');
    }
    equal(bytes.base64(raw(255, 239, 190)), '/+++');
    equal(bytes.base64(raw(255, 239, 190), 'url'), '_---');
    equal(bytes.base64(raw(255), 'url'), '_w');
    equal([...bytes.fromBase64('_-8=')], [255, 239]);
    for (const wrong of ['Z', 'Zg=', 'Zg===', 'Z!==', 'Zg==Zg==']) fails('EINVAL', () => bytes.fromBase64(wrong));
  });
}
