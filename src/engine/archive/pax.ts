import { concat, encode, find, pathText, text } from 'host:bytes';
import { TarError } from './block-source.ts';

export const XATTR_PREFIX = 'SCHILY.xattr.';

/** What a PAX extended header says about the entry that follows it. */
export interface PaxFields {
  /** Values are UTF-8; later records win; an empty value takes back an earlier one. */
  records: Map<string, string>;
  xattrs: Map<string, Uint8Array>;
}

export function emptyPax(): PaxFields {
  return { records: new Map(), xattrs: new Map() };
}

/** Records of the form `<length> <key>=<value>\n`, the length counting all of it. */
export function parsePax(data: Uint8Array, into: PaxFields): void {
  let at = 0;
  while (at < data.length) {
    const blank = find(data, ' ', at);
    const digits = blank < 0 || blank - at > 9 ? '' : text(data, at, blank);
    const end = at + Number(digits);
    if (!/^[1-9]\d*$/.test(digits) || end > data.length || end <= blank + 1 || data[end - 1] !== 10) throw new TarError('damaged PAX header');
    const equals = find(data, '=', blank);
    if (equals < 0 || equals >= end) throw new TarError('damaged PAX header');
    const key = text(data, blank + 1, equals);
    if (key.startsWith(XATTR_PREFIX)) into.xattrs.set(key.slice(XATTR_PREFIX.length), data.slice(equals + 1, end - 1));
    else {
      const value = pathText(data, equals + 1, end - 1);
      if (value === '') into.records.delete(key);
      else if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
        // Version 0.0 repeats the pair for each range: gather them as version 0.1 writes them.
        const before = into.records.get('GNU.sparse.map');
        into.records.set('GNU.sparse.map', before === undefined ? value : `${before},${value}`);
      } else into.records.set(key, value);
    }
    at = end;
  }
}

/** A time such as '1700000000.123456789'; undefined when there is none or it is nonsense. */
export function paxTime(value: string | undefined): { seconds: number; nanoseconds: number } | undefined {
  const match = /^(-?\d{1,15})(?:\.(\d{1,9})\d*)?$/.exec(value ?? '');
  if (match === null) return undefined;
  const seconds = Number(match[1]);
  const nanoseconds = Number((match[2] ?? '').padEnd(9, '0'));
  return seconds < 0 && nanoseconds > 0 ? { seconds: seconds - 1, nanoseconds: 1e9 - nanoseconds } : { seconds, nanoseconds };
}

export function paxNumber(fields: PaxFields, key: string): number | undefined {
  const value = fields.records.get(key);
  if (value === undefined) return undefined;
  if (!/^\d{1,16}$/.test(value) || !Number.isSafeInteger(Number(value))) throw new TarError(`PAX header has an impossible ${key}`);
  return Number(value);
}

/** One record, for writers. */
export function paxRecord(key: string, value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === 'string' ? encode(value) : value;
  const rest = encode(` ${key}=`).length + bytes.length + 1;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length += 1;
  return concat([encode(`${length} ${key}=`), bytes, encode('\n')]);
}
