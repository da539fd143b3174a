import { Sha256 } from 'host:crypto';
import type { Files } from '../ports/index.ts';

const CHUNK_BYTES = 256 * 1024;

/** SHA-256 of a file or device, or of its beginning. */
export function digestOf(files: Files, path: string, sizeBytes: number = Number.POSITIVE_INFINITY): string {
  const hash = new Sha256();
  const buffer = new Uint8Array(CHUNK_BYTES);
  const fd = files.open(path, 'read');
  try {
    for (let left = sizeBytes; left > 0; ) {
      const length = files.read(fd, buffer.subarray(0, Math.min(left, buffer.length)));
      if (length === 0) break;
      hash.update(buffer.subarray(0, length));
      left -= length;
    }
  } finally {
    files.close(fd);
  }
  return hash.hex();
}
