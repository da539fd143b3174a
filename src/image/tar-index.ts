import { closeSync, openSync, readSync } from 'node:fs';

/** One member of a tar file. `offset` is where its content starts, so that it can be read without unpacking. */
export interface TarEntry {
  /** Without leading `./` or `/`, without trailing `/`. */
  path: string;
  type: 'file' | 'folder' | 'symlink' | 'hardlink' | 'other';
  /** Target of a link, as written. */
  target: string;
  mode: number;
  uid: number;
  gid: number;
  sizeBytes: number;
  offset: number;
}

const blockBytes = 512;
const types: Record<string, TarEntry['type']> = { '0': 'file', '\0': 'file', '7': 'file', '5': 'folder', '2': 'symlink', '1': 'hardlink' };

/**
 * Reads the headers of an uncompressed tar (ustar, GNU long names, PAX path/linkpath/size) and nothing of the contents.
 * Throws a plain Error on a truncated or damaged file.
 */
export function indexTar(file: string): Map<string, TarEntry> {
  const fd = openSync(file, 'r');
  try {
    return new Map(tarEntries(fd).map((entry) => [entry.path, entry]));
  } finally {
    closeSync(fd);
  }
}

/** All members, in their order. */
export function tarEntries(fd: number): TarEntry[] {
  const found: TarEntry[] = [];
  const header = Buffer.alloc(blockBytes);
  let position = 0;
  let extended = new Map<string, string>();
  for (;;) {
    const got = readSync(fd, header, 0, blockBytes, position);
    if (got < blockBytes) throw new Error(`tar: cut off at byte ${position}`);
    if (header.every((byte) => byte === 0)) return found;
    checkSum(header, position);
    const type = header.toString('latin1', 156, 157);
    const sizeBytes = extended.has('size') ? Number(extended.get('size')) : number(header, 124, 12);
    const offset = position + blockBytes;
    position = offset + Math.ceil(sizeBytes / blockBytes) * blockBytes;
    if (type === 'x') extended = new Map([...extended, ...paxRecords(content(fd, offset, sizeBytes))]);
    else if (type === 'L') extended.set('path', cString(content(fd, offset, sizeBytes)));
    else if (type === 'K') extended.set('linkpath', cString(content(fd, offset, sizeBytes)));
    else if (type !== 'g') {
      found.push(entry(header, type, extended, sizeBytes, offset));
      extended = new Map();
    }
  }
}

function entry(header: Buffer, type: string, extended: Map<string, string>, sizeBytes: number, offset: number): TarEntry {
  const prefix = header.toString('latin1', 257, 262) === 'ustar' && header[263] === 0x30 ? text(header, 345, 155) : '';
  const name = extended.get('path') ?? (prefix === '' ? text(header, 0, 100) : `${prefix}/${text(header, 0, 100)}`);
  return {
    path: normalise(name),
    type: types[type] ?? 'other',
    target: extended.get('linkpath') ?? text(header, 157, 100),
    mode: number(header, 100, 8),
    uid: number(header, 108, 8),
    gid: number(header, 116, 8),
    sizeBytes,
    offset,
  };
}

/** A member's path as this index writes it. */
export function normalise(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

function content(fd: number, offset: number, sizeBytes: number): Buffer {
  const data = Buffer.alloc(sizeBytes);
  if (readSync(fd, data, 0, sizeBytes, offset) < sizeBytes) throw new Error(`tar: cut off at byte ${offset}`);
  return data;
}

const text = (header: Buffer, start: number, length: number): string => cString(header.subarray(start, start + length));

function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

/** Octal text, or GNU's base-256 for what does not fit. */
function number(header: Buffer, start: number, length: number): number {
  if ((header[start] ?? 0) & 0x80) return Number(header.readBigUInt64BE(start + length - 8));
  const digits = text(header, start, length).trim();
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function checkSum(header: Buffer, position: number): void {
  let sum = 0;
  for (let i = 0; i < blockBytes; i++) sum += i >= 148 && i < 156 ? 0x20 : (header[i] ?? 0);
  if (sum !== number(header, 148, 8)) throw new Error(`tar: damaged header at byte ${position}`);
}

function paxRecords(data: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at);
    const length = Number.parseInt(data.toString('latin1', at, space), 10);
    const [key = '', ...value] = data.toString('utf8', space + 1, at + length - 1).split('=');
    records.set(key, value.join('='));
    at += length;
  }
  return records;
}
