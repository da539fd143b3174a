import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

import type { LogEntry } from '../../engine/support/logged-disk.ts';

const MAGIC = 0x6a736677736872n;
const FLAGS = { flush: 1n, fua: 2n, discard: 4n, mark: 8n };

/**
 * A log in the form of Linux' dm-log-writes, as QEMU's blklogwrites writes it: a superblock and then, each padded to a sector, heads of entries, those of
 * writes with their data. What was thrown away is left out. The count in the superblock is behind while QEMU runs, so the file's end counts.
 * @throws Error for what is no such log, or for a write that is durable by itself, which no disk of ours takes
 */
export function readWriteLog(path: string): LogEntry[] {
  const log = openSync(path, 'r');
  try {
    const sizeBytes = fstatSync(log).size;
    const head = Buffer.alloc(32);
    const headAt = (at: number): readonly [bigint, bigint, bigint] => {
      readSync(log, head, 0, head.length, at);
      return [head.readBigUInt64LE(0), head.readBigUInt64LE(8), head.readBigUInt64LE(16)];
    };
    if (sizeBytes === 0 || headAt(0)[0] !== MAGIC) throw new Error(`${path} is no log of writes`);
    const sectorBytes = head.readUInt32LE(24);
    const entries: LogEntry[] = [];
    for (let at = sectorBytes; at + sectorBytes <= sizeBytes; ) {
      const [sector, sectors, flags] = headAt(at);
      const dataAt = at + sectorBytes;
      const hasData = (flags & (FLAGS.discard | FLAGS.mark)) === 0n;
      const end = dataAt + (hasData ? Number(sectors) * sectorBytes : 0);
      if (end > sizeBytes) return entries; // the power went
      if ((flags & FLAGS.fua) !== 0n) throw new Error(`${path}: a write at ${at} that is durable by itself`);
      if ((flags & FLAGS.flush) !== 0n) entries.push({ end, write: undefined });
      if (hasData && sectors > 0n) entries.push({ end, write: { offset: Number(sector) * sectorBytes, dataAt, sizeBytes: end - dataAt } });
      at = end;
    }
    return entries;
  } finally {
    closeSync(log);
  }
}
