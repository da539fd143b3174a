/** Docker's framing of several streams in one: kind, three zeros, length (big-endian), data. */
export type StreamKind = 1 | 2;

export const STDOUT: StreamKind = 1;
export const STDERR: StreamKind = 2;

const HEADER_BYTES = 8;

export function frameHeader(kind: StreamKind, sizeBytes: number): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  header[0] = kind;
  new DataView(header.buffer).setUint32(4, sizeBytes, false);
  return header;
}
