/** `host:bytes` on Node.js, for tests of the engine's pure parts on the build machine. */
export function text(bytes: Uint8Array, from = 0, to = bytes.length): string {
  return Buffer.from(bytes.subarray(from, to)).toString('utf8');
}

export const pathText = text;

export function cString(bytes: Uint8Array, from: number, to: number): string {
  const end = bytes.subarray(from, to).indexOf(0);
  return text(bytes, from, end < 0 ? to : from + end);
}

export function encode(value: string): Uint8Array {
  return new Uint8Array(Buffer.from(value, 'utf8'));
}

export function find(bytes: Uint8Array, needle: string | Uint8Array | number, from = 0): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(needle, from);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export function sum(bytes: Uint8Array, from = 0, to = bytes.length): number {
  return bytes.subarray(from, to).reduce((total, byte) => total + byte, 0);
}

export function isZero(bytes: Uint8Array, from = 0, to = bytes.length): boolean {
  return bytes.subarray(from, to).every((byte) => byte === 0);
}

export function tarNumber(bytes: Uint8Array, from: number, to: number): number {
  const field = bytes.subarray(from, to);
  if ((field[0] ?? 0) & 0x80) {
    const value = field.reduce((total, byte, index) => total * 256n + BigInt(index === 0 ? byte & 0x7f : byte), 0n);
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.NaN : Number(value);
  }
  const digits = cString(bytes, from, to).trim();
  if (digits === '') return 0;
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

export function putTarNumber(bytes: Uint8Array, from: number, to: number, value: number): void {
  const digits = value.toString(8);
  if (digits.length < to - from) bytes.set(encode(`${digits.padStart(to - from - 1, '0')}\0`), from);
  else {
    for (let at = to - 1, rest = value; at >= from; at -= 1, rest = Math.floor(rest / 256)) bytes[at] = rest % 256;
    bytes[from] = (bytes[from] ?? 0) | 0x80;
  }
}

export function putText(bytes: Uint8Array, from: number, to: number, value: string): number {
  const encoded = encode(value);
  bytes.set(encoded.subarray(0, to - from), from);
  return encoded.length;
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

export function fromBase64(value: string): Uint8Array {
  if (!/^[\w+/\s-]*={0,2}\s*$/.test(value)) throw Object.assign(new Error('not base64'), { code: 'EINVAL' });
  return new Uint8Array(Buffer.from(value, 'base64'));
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function fromHex(value: string): Uint8Array {
  return new Uint8Array(Buffer.from(value, 'hex'));
}

export function xorMask(bytes: Uint8Array, mask: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = (bytes[at] ?? 0) ^ (mask[at % mask.length] ?? 0);
}
