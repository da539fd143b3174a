import { concat, encode, putTarNumber, putText, sum } from 'host:bytes';
import { paxRecord, XATTR_PREFIX } from './pax.ts';
import { BLOCK_BYTES, FLAGS, paddingOf, type TarMember } from './tar-entry.ts';

const NAME_BYTES = 100;

/** Header blocks of an entry: ustar, with a PAX header in front for what does not fit. Content and padding follow. */
export function tarHeaderBlocks(member: TarMember): Uint8Array {
  const records: Uint8Array[] = [];
  const record = (key: string, value: string | Uint8Array): void => void records.push(paxRecord(key, value));
  if (encode(member.path).length > NAME_BYTES) record('path', member.path);
  if (encode(member.linkPath).length > NAME_BYTES) record('linkpath', member.linkPath);
  if (member.mtimeNanoseconds > 0) record('mtime', `${member.mtimeSeconds}.${String(member.mtimeNanoseconds).padStart(9, '0')}`);
  for (const [name, value] of member.xattrs) record(`${XATTR_PREFIX}${name}`, value);
  const header = block(member, FLAGS[member.type], member.type === 'file' ? member.sizeBytes : 0);
  if (records.length === 0) return header;
  const content = concat(records);
  const extension: TarMember = { ...member, path: 'PaxHeaders/0', linkPath: '', mode: 0o644, mtimeNanoseconds: 0, deviceMajor: 0, deviceMinor: 0 };
  return concat([block(extension, 'x', content.length), content, tarPadding(content.length), header]);
}

export function tarPadding(sizeBytes: number): Uint8Array {
  return new Uint8Array(paddingOf(sizeBytes));
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
