import { concat, cString, encode } from 'host:bytes';
import { formatIpv4, parseIpv4 } from './ipv4.ts';
import { formatIpv6, ipv6Bytes, parseIpv6 } from './ipv6.ts';

/** The first question of a DNS message (RFC 1035). */
export interface DnsQuestion {
  id: number;
  recursionDesired: boolean;
  /** Lower case, without the final dot. */
  name: string;
  type: number;
  /** Where the question ends in the message. */
  end: number;
}

export type DnsRecord = { type: 'A' | 'AAAA'; address: string } | { type: 'PTR'; name: string };

export const TYPE_A = 1;
export const TYPE_PTR = 12;
export const TYPE_AAAA = 28;
export const RCODE = { ok: 0, serverFailure: 2, nameError: 3, refused: 5 };

const HEADER_BYTES = 12;
const CLASS_IN = 1;
const RECORD_TYPE = { A: TYPE_A, AAAA: TYPE_AAAA, PTR: TYPE_PTR };
const POINTER_TO_QUESTION = 0xc00c;
const LONGEST_NAME = 255;

/** Undefined for what is not an ordinary query with one question: answers, other operations, malformed or compressed names. */
export function parseQuestion(message: Uint8Array): DnsQuestion | undefined {
  if (message.length < HEADER_BYTES + 5) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const flags = view.getUint16(2);
  if ((flags & 0xf800) !== 0 || view.getUint16(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > 63 || at - HEADER_BYTES > LONGEST_NAME) return undefined;
    at += 1;
    if (length === 0) break;
    if (at + length > message.length) return undefined;
    labels.push(cString(message, at, at + length).toLowerCase());
    at += length;
  }
  if (at + 4 > message.length || view.getUint16(at + 2) !== CLASS_IN) return undefined;
  return { id: view.getUint16(0), recursionDesired: (flags & 0x100) !== 0, name: labels.join('.'), type: view.getUint16(at), end: at + 4 };
}

/** An answer to `query`, whose question it repeats. */
export function formatAnswer(query: Uint8Array, question: DnsQuestion, rcode: number, records: readonly DnsRecord[], ttlS: number): Uint8Array {
  const head = query.slice(0, question.end);
  const view = new DataView(head.buffer);
  view.setUint16(2, 0x8080 | (question.recursionDesired ? 0x100 : 0) | rcode);
  view.setUint16(6, records.length);
  view.setUint16(8, 0);
  view.setUint16(10, 0);
  return concat([head, ...records.map((record) => formatRecord(record, ttlS))]);
}

function formatRecord(record: DnsRecord, ttlS: number): Uint8Array {
  const data = record.type === 'PTR' ? nameBytes(record.name) : addressBytes(record.address);
  const head = new Uint8Array(12);
  const view = new DataView(head.buffer);
  view.setUint16(0, POINTER_TO_QUESTION);
  view.setUint16(2, RECORD_TYPE[record.type]);
  view.setUint16(4, CLASS_IN);
  view.setUint32(6, ttlS);
  view.setUint16(10, data.length);
  return concat([head, data]);
}

function addressBytes(text: string): Uint8Array {
  const six = parseIpv6(text);
  if (six !== undefined) return ipv6Bytes(six);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, parseIpv4(text) ?? 0);
  return bytes;
}

function nameBytes(name: string): Uint8Array {
  return concat([...name.split('.').flatMap((label) => [Uint8Array.of(encode(label).length), encode(label)]), Uint8Array.of(0)]);
}

/** '4.3.2.1.in-addr.arpa' → '1.2.3.4', and the 32 digits of ip6.arpa likewise. Undefined for any other name. */
export function reverseAddress(name: string): string | undefined {
  const nibbles = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name);
  if (nibbles?.[1] !== undefined) return formatIpv6(BigInt(`0x${nibbles[1].split('.').toReversed().join('')}`));
  const match = /^(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})\.in-addr\.arpa$/.exec(name);
  const address = parseIpv4((match?.[1] ?? '').split('.').toReversed().join('.'));
  return address === undefined ? undefined : formatIpv4(address);
}
