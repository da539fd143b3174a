import { blockBytes, paddingBytes, type TarEntry } from './entry.ts';

const types: Record<string, TarEntry['type']> = { '0': 'file', '\0': 'file', '7': 'file', '1': 'hardlink', '2': 'link', '3': 'char', '4': 'block', '5': 'folder', '6': 'fifo' };
const flags: Record<TarEntry['type'], string> = { file: '0', hardlink: '1', link: '2', char: '3', block: '4', folder: '5', fifo: '6' };

/** What a header block says before long names and PAX records are applied to it. */
export interface RawHeader {
  name: string;
  flag: string;
  linkName: string;
  mode: number;
  uid: number;
  gid: number;
  mtime: number;
  sizeBytes: number;
  devMajor: number;
  devMinor: number;
}

/** What earlier extension headers say about the next member. */
export interface Extensions {
  path?: string;
  target?: string;
  sizeBytes?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  xattrs?: Record<string, Buffer>;
}

/** @throws Error when the checksum does not match: the archive is damaged */
export function parseHeader(block: Buffer): RawHeader {
  let sum = 8 * 32;
  for (let index = 0; index < blockBytes; index += 1) if (index < 148 || index >= 156) sum += block[index] ?? 0;
  if (sum !== octal(block, 148, 8)) throw new Error('tar header with a wrong checksum');
  const ustar = block.toString('latin1', 257, 262) === 'ustar';
  const gnu = ustar && block[262] === 0x20;
  const prefix = ustar && !gnu ? text(block, 345, 155) : '';
  return {
    name: prefix === '' ? text(block, 0, 100) : `${prefix}/${text(block, 0, 100)}`,
    flag: String.fromCharCode(block[156] ?? 0),
    linkName: text(block, 157, 100),
    mode: octal(block, 100, 8) & 0o7777,
    uid: octal(block, 108, 8),
    gid: octal(block, 116, 8),
    sizeBytes: octal(block, 124, 12),
    mtime: octal(block, 136, 12),
    devMajor: ustar ? octal(block, 329, 8) : 0,
    devMinor: ustar ? octal(block, 337, 8) : 0,
  };
}

/** Reads the data of an extension header (PAX x/g, GNU L/K) into `extensions`; false when the flag is none of these. */
export function applyExtension(flag: string, data: Buffer, extensions: Extensions): boolean {
  if (flag === 'L') extensions.path = text(data, 0, data.length);
  else if (flag === 'K') extensions.target = text(data, 0, data.length);
  else if (flag === 'x') readPax(data, extensions);
  else return flag === 'g';
  return true;
}

/**
 * Makes the member's entry.
 * @throws Error for a path that leaves the archive's root
 */
export function makeEntry(raw: RawHeader, extensions: Extensions): TarEntry {
  const type = types[raw.flag];
  if (type === undefined) throw new Error(`tar member of unknown type ${JSON.stringify(raw.flag)}: ${raw.name}`);
  const target = extensions.target ?? raw.linkName;
  const sizeBytes = type === 'file' ? (extensions.sizeBytes ?? raw.sizeBytes) : 0;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw new Error(`tar member of a size that is no number: ${raw.name}`);
  return {
    path: cleanPath(extensions.path ?? raw.name),
    type,
    mode: raw.mode,
    uid: extensions.uid ?? raw.uid,
    gid: extensions.gid ?? raw.gid,
    mtime: extensions.mtime ?? raw.mtime,
    sizeBytes,
    target: type === 'hardlink' ? cleanPath(target) : type === 'link' ? target : '',
    devMajor: raw.devMajor,
    devMinor: raw.devMinor,
    xattrs: extensions.xattrs ?? {},
  };
}

/** The header of an entry, preceded by a PAX header where the plain one cannot hold it. */
export function formatHeader(entry: TarEntry): Buffer {
  const name = entry.path === '' ? './' : entry.type === 'folder' ? `${entry.path}/` : entry.path;
  const records: Buffer[] = [];
  if (!fits(name)) records.push(paxRecord('path', Buffer.from(name)));
  if (!fits(entry.target)) records.push(paxRecord('linkpath', Buffer.from(entry.target)));
  if (entry.sizeBytes > 0o77777777777) records.push(paxRecord('size', Buffer.from(String(entry.sizeBytes))));
  for (const key of Object.keys(entry.xattrs).toSorted()) records.push(paxRecord(`SCHILY.xattr.${key}`, entry.xattrs[key] ?? Buffer.alloc(0)));
  const plain = block(name, flags[entry.type], entry);
  if (records.length === 0) return plain;
  const data = Buffer.concat(records);
  const pax = block('././@PaxHeader', 'x', { ...entry, mode: 0o644, uid: 0, gid: 0, target: '', sizeBytes: data.length, devMajor: 0, devMinor: 0 });
  return Buffer.concat([pax, data, Buffer.alloc(paddingBytes(data.length)), plain]);
}

function block(name: string, flag: string, entry: TarEntry): Buffer {
  const out = Buffer.alloc(blockBytes);
  out.write(name.slice(0, 100), 0, 100, 'utf8');
  writeOctal(out, entry.mode, 100, 8);
  writeOctal(out, entry.uid, 108, 8);
  writeOctal(out, entry.gid, 116, 8);
  writeOctal(out, entry.sizeBytes > 0o77777777777 ? 0 : entry.sizeBytes, 124, 12);
  writeOctal(out, Math.max(0, entry.mtime), 136, 12);
  out.write(flag, 156, 1, 'latin1');
  out.write(entry.target.slice(0, 100), 157, 100, 'utf8');
  out.write('ustar\x0000', 257, 8, 'latin1');
  writeOctal(out, entry.devMajor, 329, 8);
  writeOctal(out, entry.devMinor, 337, 8);
  out.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of out) sum += byte;
  out.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
  return out;
}

function fits(name: string): boolean {
  return name.length <= 100 && /^[\x20-\x7e]*$/.test(name);
}

function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.byteLength(key) + value.length + 3;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from('\n')]);
}

function readPax(data: Buffer, extensions: Extensions): void {
  for (let offset = 0; offset < data.length; ) {
    const space = data.indexOf(0x20, offset);
    const length = Number(data.toString('latin1', offset, space));
    const equals = data.indexOf(0x3d, space);
    if (space < 0 || equals < 0 || !(length > 0)) throw new Error('damaged PAX header');
    const key = data.toString('utf8', space + 1, equals);
    const value = data.subarray(equals + 1, offset + length - 1);
    if (key === 'path') extensions.path = value.toString();
    else if (key === 'linkpath') extensions.target = value.toString();
    else if (key === 'size') extensions.sizeBytes = Number(value.toString());
    else if (key === 'uid') extensions.uid = Number(value.toString());
    else if (key === 'gid') extensions.gid = Number(value.toString());
    else if (key === 'mtime') extensions.mtime = Math.floor(Number(value.toString()));
    else if (key.startsWith('SCHILY.xattr.')) extensions.xattrs = { ...extensions.xattrs, [key.slice(13)]: Buffer.from(value) };
    offset += length;
  }
}

function cleanPath(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new Error(`tar member with a path that leaves the archive: ${name}`);
  return parts.join('/');
}

function text(data: Buffer, offset: number, length: number): string {
  const end = data.indexOf(0, offset);
  return data.toString('utf8', offset, end < 0 || end > offset + length ? offset + length : end);
}

function octal(data: Buffer, offset: number, length: number): number {
  if ((data[offset] ?? 0) & 0x80) {
    let value = (data[offset] ?? 0) & 0x7f;
    for (let index = offset + 1; index < offset + length; index += 1) value = value * 256 + (data[index] ?? 0);
    return value;
  }
  const digits = text(data, offset, length).trim();
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function writeOctal(out: Buffer, value: number, offset: number, length: number): void {
  const digits = value.toString(8).padStart(length - 1, '0');
  if (digits.length > length - 1) throw new Error(`number ${value} does not fit a tar header`);
  out.write(digits, offset, length - 1, 'latin1');
}
