import { Sha256 } from 'host:crypto';
import type { Files } from '../ports/index.ts';

const CHUNK_BYTES = 256 * 1024;

/** SHA-256 of a file or device, or of so much of it from `fromBytes` on; `each` sees what is read as well. */
export function digestOf(files: Files, path: string, sizeBytes: number = Number.POSITIVE_INFINITY, { fromBytes = 0, each }: { fromBytes?: number; each?: (bytes: Uint8Array) => void } = {}): string {
  const hash = new Sha256();
  const buffer = new Uint8Array(CHUNK_BYTES);
  const fd = files.open(path, 'read');
  try {
    if (fromBytes > 0) files.seek(fd, fromBytes);
    for (let left = sizeBytes; left > 0; ) {
      const length = files.read(fd, buffer.subarray(0, Math.min(left, buffer.length)));
      if (length === 0) break;
      const part = buffer.subarray(0, length);
      hash.update(part);
      each?.(part);
      left -= length;
    }
  } finally {
    files.close(fd);
  }
  return hash.hex();
}
