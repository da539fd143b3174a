import { encodeGpt, type DiskWrite } from './gpt.ts';
import { encodeMbr } from './mbr.ts';
import { osipTable, type OsipImage } from './osip.ts';
import type { DiskLayout } from './partition-table.ts';

/** A disk's partition table in all its places, with what its first sector holds in front of it. */
export function encodeDiskTable(layout: DiskLayout, osip: OsipImage | undefined): DiskWrite[] {
  const writes = layout.table === 'gpt' ? encodeGpt(layout) : encodeMbr(layout);
  if (osip === undefined) return writes;
  const code = osipTable(osip);
  return writes.map(({ offset, bytes }) => ({ offset, bytes: offset === 0 ? Buffer.concat([code, bytes.subarray(code.length)]) : bytes }));
}
