import { gunzipSync, gzipSync } from 'node:zlib';

const headBytes = 9;
const pieceBytes = 64 * 1024;

/**
 * The record of a layer's archive (src/engine/images/tar-record.ts) in pieces that do not depend on how the archive came: bytes that stand one after the
 * other are joined and cut anew. What an engine reads of it is the same.
 */
export function steadyRecord(packed: Buffer): Buffer {
  const record = gunzipSync(packed);
  const out: Buffer[] = [];
  let bytes: Buffer[] = [];
  const segment = (kind: string, content: Buffer): void => void out.push(Buffer.from(kind + content.length.toString(16).padStart(8, '0')), content);
  const flush = (): void => {
    const joined = Buffer.concat(bytes);
    bytes = [];
    for (let at = 0; at < joined.length; at += pieceBytes) segment('r', joined.subarray(at, at + pieceBytes));
  };
  for (let at = 0; at < record.length; ) {
    const [, kind = '', digits = ''] = /^([rfe])([0-9a-f]{8})$/.exec(record.toString('latin1', at, at + headBytes)) ?? [];
    const end = at + headBytes + Number.parseInt(digits, 16);
    if (kind === '' || end > record.length) throw new Error('the record of a layer is damaged');
    const content = record.subarray(at + headBytes, end);
    at = end;
    if (kind === 'r') bytes.push(content);
    else {
      flush();
      segment(kind, content);
    }
  }
  flush();
  return gzipSync(Buffer.concat(out));
}
