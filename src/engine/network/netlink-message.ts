import { cString, encode } from 'host:bytes';

/**
 * Encoding of rtnetlink messages (linux/netlink.h, linux/rtnetlink.h). All supported processors are little-endian, and so is
 * everything here but addresses, which are in network order.
 */

export type AttributeValue = Uint8Array | readonly Attribute[];

export interface Attribute {
  type: number;
  value: AttributeValue;
}

export interface DecodedMessage {
  type: number;
  flags: number;
  sequence: number;
  /** Behind the netlink header: the family's header and its attributes. */
  payload: Uint8Array;
}

const HEADER_BYTES = 16;
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_DUMP = 0x300;

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** An IPv4 address in network order. */
export function be32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, false);
  return bytes;
}

/** Text with the NUL that the kernel wants behind it. */
export function zeroTerminated(text: string): Uint8Array {
  return encode(`${text}\0`);
}

export function encodeMessage(type: number, flags: number, sequence: number, familyHeader: Uint8Array, attributes: readonly Attribute[]): Uint8Array {
  const bodyBytes = align(familyHeader.length) + attributesLength(attributes);
  const bytes = new Uint8Array(HEADER_BYTES + bodyBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  bytes.set(familyHeader, HEADER_BYTES);
  putAttributes(bytes, view, HEADER_BYTES + align(familyHeader.length), attributes);
  return bytes;
}

function putAttributes(bytes: Uint8Array, view: DataView, start: number, attributes: readonly Attribute[]): number {
  let at = start;
  for (const { type, value } of attributes) {
    if (value instanceof Uint8Array) {
      view.setUint16(at, 4 + value.length, true);
      view.setUint16(at + 2, type, true);
      bytes.set(value, at + 4);
      at += align(4 + value.length);
    } else {
      const end = putAttributes(bytes, view, at + 4, value);
      view.setUint16(at, end - at, true);
      view.setUint16(at + 2, type | NESTED, true);
      at = end;
    }
  }
  return at;
}

function attributesLength(attributes: readonly Attribute[]): number {
  return attributes.reduce((sum, { value }) => sum + align(4 + (value instanceof Uint8Array ? value.length : attributesLength(value))), 0);
}

export function decodeMessage(bytes: Uint8Array): DecodedMessage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true);
  if (length < HEADER_BYTES || length > bytes.length) throw new Error(`netlink message of ${bytes.length} bytes says it has ${length}`);
  return { type: view.getUint16(4, true), flags: view.getUint16(6, true), sequence: view.getUint32(8, true), payload: bytes.subarray(HEADER_BYTES, length) };
}

/** Attributes from `start` on, by type; the last one of a type wins. Damaged rests are left out. */
export function decodeAttributes(payload: Uint8Array, start: number): Map<number, Uint8Array> {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const found = new Map<number, Uint8Array>();
  for (let at = start; at + 4 <= payload.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > payload.length) break;
    found.set(view.getUint16(at + 2, true) & TYPE_MASK, payload.subarray(at + 4, at + length));
    at += align(length);
  }
  return found;
}

export function attributeText(value: Uint8Array): string {
  return cString(value, 0, value.length);
}

function align(length: number): number {
  return (length + 3) & ~3;
}
