import { concat, encode, putTarNumber, putText, sum } from 'host:bytes';
import { formatPaxRecord } from './pax.ts';
import { BLOCK_BYTES } from './tar-header.ts';
import type { TarEntryType } from './tar-reader.ts';

/** An entry to write; directories' paths end with a slash. */
export interface TarMember {
  path: string;
  type: TarEntryType;
  mode: number;
  uid: number;
  gid: number;
  sizeBytes: number;
  mtimeSeconds: number;
  mtimeNanoseconds: number;
  linkPath: string;
  deviceMajor: number;
  deviceMinor: number;
  xattrs: ReadonlyMap<string, Uint8Array>;
}

const FLAGS: Record<TarEntryType, string> = { file: '0', hardlink: '1', symlink: '2', character: '3', block: '4', directory: '5', fifo: '6' };
const NAME_BYTES = 100;

export const TAR_END = new Uint8Array(2 * BLOCK_BYTES);

/** Header blocks of an entry: ustar, with a PAX header in front for what does not fit. Content and padding follow. */
export function tarHeaderBlocks(member: TarMember): Uint8Array {
  const records: Uint8Array[] = [];
  const record = (key: string, value: string): void => void records.push(encode(formatPaxRecord(key, value)));
  if (encode(member.path).length > NAME_BYTES) record('path', member.path);
  if (encode(member.linkPath).length > NAME_BYTES) record('linkpath', member.linkPath);
  if (member.mtimeNanoseconds > 0) record('mtime', `${member.mtimeSeconds}.${String(member.mtimeNanoseconds).padStart(9, '0')}`);
  for (const [name, value] of member.xattrs) records.push(binaryRecord(`SCHILY.xattr.${name}`, value));
  const header = block(member, FLAGS[member.type], member.type === 'file' ? member.sizeBytes : 0);
  if (records.length === 0) return header;
  const content = concat(records);
  const extension: TarMember = { ...member, path: 'PaxHeaders/0', linkPath: '', mode: 0o644, mtimeNanoseconds: 0, deviceMajor: 0, deviceMinor: 0 };
  return concat([block(extension, 'x', content.length), content, tarPadding(content.length), header]);
}

export function tarPadding(sizeBytes: number): Uint8Array {
  return new Uint8Array((BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES);
}

function block(member: TarMember, flag: string, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(BLOCK_BYTES);
  putText(bytes, 0, NAME_BYTES, member.path);
  putTarNumber(bytes, 100, 108, member.mode & 0o7777);
  putTarNumber(bytes, 108, 116, member.uid);
  putTarNumber(bytes, 116, 124, member.gid);
  putTarNumber(bytes, 124, 136, sizeBytes);
  putTarNumber(bytes, 136, 148, Math.max(0, member.mtimeSeconds));
  bytes.fill(32, 148, 156);
  putText(bytes, 156, 157, flag);
  putText(bytes, 157, 257, member.linkPath);
  putText(bytes, 257, 265, 'ustar\u000000');
  putTarNumber(bytes, 329, 337, member.deviceMajor);
  putTarNumber(bytes, 337, 345, member.deviceMinor);
  const checksum = sum(bytes, 0, BLOCK_BYTES);
  putText(bytes, 148, 156, `${checksum.toString(8).padStart(6, '0')}\0 `);
  return bytes;
}

/** Like formatPaxRecord, for a value that is no text. */
function binaryRecord(key: string, value: Uint8Array): Uint8Array {
  const rest = encode(` ${key}=`).length + value.length + 1;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length += 1;
  return concat([encode(`${length} ${key}=`), value, encode('\n')]);
}
