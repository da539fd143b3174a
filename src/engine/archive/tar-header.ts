import { cString, isZero, sum, tarNumber } from 'host:bytes';
import { TarError } from './block-source.ts';
import { BLOCK_BYTES, type SparseRange } from './tar-entry.ts';

/** One header block as it stands (POSIX ustar, GNU, or v7). */
export interface TarHeader {
  name: string;
  mode: number;
  uid: number;
  gid: number;
  sizeBytes: number;
  mtimeSeconds: number;
  /** Type flag as a character; '0' for the old NUL. */
  flag: string;
  linkName: string;
  deviceMajor: number;
  deviceMinor: number;
}

/** Null for a block of zeros, which ends an archive. */
export function parseTarHeader(block: Uint8Array): TarHeader | null {
  const checksum = tarNumber(block, 148, 156);
  const actual = sum(block, 0, 148) + sum(block, 156, BLOCK_BYTES) + 8 * 32;
  if (checksum !== actual) {
    if (isZero(block)) return null;
    throw new TarError('not a tar archive, or damaged (header checksum differs)');
  }
  const magic = cString(block, 257, 263);
  const ustar = magic === 'ustar';
  const gnu = magic.startsWith('ustar ');
  const prefix = ustar ? cString(block, 345, 500) : '';
  const name = cString(block, 0, 100);
  const flag = String.fromCharCode(block[156] ?? 0);
  const devices = ustar || gnu;
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    mode: number(block, 100, 108, 'mode') & 0o7777,
    uid: number(block, 108, 116, 'owner'),
    gid: number(block, 116, 124, 'group'),
    sizeBytes: number(block, 124, 136, 'size'),
    mtimeSeconds: time(block),
    flag: flag === '\0' ? '0' : flag,
    linkName: cString(block, 157, 257),
    deviceMajor: devices ? number(block, 329, 337, 'device') : 0,
    deviceMinor: devices ? number(block, 337, 345, 'device') : 0,
  };
}

function number(block: Uint8Array, from: number, to: number, what: string): number {
  const value = tarNumber(block, from, to);
  if (!(value >= 0)) throw new TarError(`archive entry has an impossible ${what}`);
  return value;
}

function time(block: Uint8Array): number {
  const value = tarNumber(block, 136, 148);
  return Number.isNaN(value) ? 0 : value;
}

/** The old GNU sparse map: up to four ranges in the header, 21 in each block that follows. */
export function parseSparseRanges(block: Uint8Array, at: number, count: number): SparseRange[] {
  const ranges: SparseRange[] = [];
  for (let index = 0; index < count; index += 1) {
    const from = at + index * 24;
    const offset = number(block, from, from + 12, 'sparse range');
    const sizeBytes = number(block, from + 12, from + 24, 'sparse range');
    if (offset === 0 && sizeBytes === 0 && isZero(block, from, from + 24)) break;
    ranges.push({ offset, sizeBytes });
  }
  return ranges;
}
