/** DER (ITU-T X.690), as far as certificates, CMS and Authenticode take it. */

const tagged = (tag: number, content: Buffer): Buffer => Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);

function lengthOf(bytes: number): Buffer {
  if (bytes < 0x80) return Buffer.from([bytes]);
  const digits = Buffer.from(bytes.toString(16).padStart(bytes > 0xffff ? 8 : bytes > 0xff ? 4 : 2, '0'), 'hex');
  const start = digits.findIndex((byte) => byte !== 0);
  const short = digits.subarray(start);
  return Buffer.concat([Buffer.from([0x80 | short.length]), short]);
}

export const sequence = (...parts: Buffer[]): Buffer => tagged(0x30, Buffer.concat(parts));
/** SET OF: DER sorts its members. */
export const setOf = (...parts: Buffer[]): Buffer => tagged(0x31, Buffer.concat(parts.toSorted((a, b) => Buffer.compare(a, b))));
export const octets = (bytes: Buffer): Buffer => tagged(0x04, bytes);
export const bits = (bytes: Buffer, unused = 0): Buffer => tagged(0x03, Buffer.concat([Buffer.from([unused]), bytes]));
export const nothing = Buffer.from([0x05, 0x00]);
export const boolean = (value: boolean): Buffer => Buffer.from([0x01, 0x01, value ? 0xff : 0]);
export const utf8 = (text: string): Buffer => tagged(0x0c, Buffer.from(text));
/** Context-specific: `explicit` around a value, `implicit` instead of its tag; `primitive` for content that is no list of values. */
export const explicit = (number: number, ...parts: Buffer[]): Buffer => tagged(0xa0 | number, Buffer.concat(parts));
export const primitive = (number: number, content: Buffer): Buffer => tagged(0x80 | number, content);
export const implicit = (number: number, value: Buffer): Buffer => Buffer.concat([Buffer.from([0xa0 | number]), value.subarray(1)]);

/** A number that is not negative, big-endian. */
export function integer(value: number | Buffer): Buffer {
  const bytes = typeof value === 'number' ? Buffer.from([value]) : value;
  const start = bytes.findIndex((byte) => byte !== 0);
  const short = start === -1 ? Buffer.from([0]) : bytes.subarray(start);
  return tagged(0x02, (short[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), short]) : short);
}

export function objectId(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const base128 = (value: number): number[] => (value < 0x80 ? [value] : [...base128(Math.floor(value / 0x80)).map((byte) => byte | 0x80), value % 0x80]);
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** Years up to 2049 as UTCTime, later ones as GeneralizedTime (RFC 5280). */
export function time(date: Date): Buffer {
  const digits = `${date.toISOString().replaceAll(/[-:T]|\.\d+/g, '')}`;
  return date.getUTCFullYear() < 2050 ? tagged(0x17, Buffer.from(digits.slice(2))) : tagged(0x18, Buffer.from(digits));
}

/** A value that was read: its bytes with the tag, and its content. */
export interface DerValue {
  tag: number;
  whole: Buffer;
  content: Buffer;
}

/** Reads the values that stand one after the other. @throws RangeError for what is no DER */
export function readDer(bytes: Buffer): DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] ?? 0;
    const short = bytes[at + 1];
    if (short === undefined || short === 0x80 || short > 0x84) throw new RangeError('no DER: a length that cannot be');
    const digits = short < 0x80 ? 0 : short & 0x7f;
    if (at + 2 + digits > bytes.length) throw new RangeError('no DER: it is cut off');
    const length = digits === 0 ? short : bytes.readUIntBE(at + 2, digits);
    const start = at + 2 + digits;
    if (start + length > bytes.length) throw new RangeError('no DER: it is cut off');
    values.push({ tag, whole: bytes.subarray(at, start + length), content: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return values;
}

/** The values inside of one, which has to be of that tag. @throws RangeError */
export function inside(value: DerValue | undefined, tag: number): DerValue[] {
  if (value?.tag !== tag) throw new RangeError(`no DER of tag ${tag.toString(16)} where it should be`);
  return readDer(value.content);
}
