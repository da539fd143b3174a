import type { TextCodec } from '../../http/client.ts';

export const TAR_BLOCK_BYTES = 512;

/** An entry of the archive that is sent; owners stay behind. */
export interface ContextEntry {
  /** Folders end with a slash. */
  name: string;
  kind: 'file' | 'directory' | 'symlink';
  mode: number;
  sizeBytes: number;
  mtimeSeconds: number;
  linkTarget: string;
}

const FLAGS = { file: '0', directory: '5', symlink: '2' };
const OCTAL_LIMIT = 8 ** 11;

/** Header blocks: ustar, with a PAX header in front for long names and large files. */
export function contextHeader(entry: ContextEntry, codec: TextCodec): Uint8Array {
  const records: string[] = [];
  const record = (key: string, value: string): void => {
    const rest = codec.encode(` ${key}=${value}\n`).length;
    let length = rest + String(rest).length;
    if (rest + String(length).length !== length) length += 1;
    records.push(`${length} ${key}=${value}\n`);
  };
  if (codec.encode(entry.name).length > 100) record('path', entry.name);
  if (codec.encode(entry.linkTarget).length > 100) record('linkpath', entry.linkTarget);
  if (entry.sizeBytes >= OCTAL_LIMIT) record('size', String(entry.sizeBytes));
  const own = block(entry, FLAGS[entry.kind], codec);
  if (records.length === 0) return own;
  const text = codec.encode(records.join(''));
  const head = block({ name: 'PaxHeaders/0', kind: 'file', mode: 0o644, sizeBytes: text.length, mtimeSeconds: 0, linkTarget: '' }, 'x', codec);
  const all = new Uint8Array(head.length + Math.ceil(text.length / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES + own.length);
  all.set(head);
  all.set(text, head.length);
  all.set(own, all.length - own.length);
  return all;
}

function block(entry: ContextEntry, flag: string, codec: TextCodec): Uint8Array {
  const bytes = new Uint8Array(TAR_BLOCK_BYTES);
  const put = (at: number, text: string, limit: number): void => bytes.set(codec.encode(text).subarray(0, limit), at);
  const octal = (value: number, digits: number): string => Math.max(0, Math.floor(value)).toString(8).padStart(digits, '0');
  put(0, entry.name, 100);
  put(100, octal(entry.mode & 0o7777, 7), 7);
  put(108, octal(0, 7), 7);
  put(116, octal(0, 7), 7);
  put(124, octal(entry.kind === 'file' && entry.sizeBytes < OCTAL_LIMIT ? entry.sizeBytes : 0, 11), 11);
  put(136, octal(Math.min(entry.mtimeSeconds, OCTAL_LIMIT - 1), 11), 11);
  put(148, ' '.repeat(8), 8);
  put(156, flag, 1);
  put(157, entry.linkTarget, 100);
  put(257, 'ustar\u000000', 8);
  put(148, `${octal(bytes.reduce((sum, byte) => sum + byte, 0), 6)}\0 `, 8);
  return bytes;
}
