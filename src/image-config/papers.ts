import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

import { sha256File } from '../cache/index.ts';
// Not in that folder's index: what changes there makes every image anew.
import { bmapBlockBytes, decodeBmap, encodeBmap, type BlockMap } from '../image/bmap.ts';

type Range = Pick<BlockMap['ranges'][number], 'start' | 'end'>;

/** A block map for a disk of which one part may have changed: what was mapped stays so, and in that part everything that is not zeros is. */
export async function mapAgain(text: string, disk: string, changed: { startBytes: number; sizeBytes: number }): Promise<string> {
  const before = decodeBmap(text);
  const end = Math.min(changed.startBytes + changed.sizeBytes, before.imageBytes);
  const ranges = merge([...before.ranges, ...(await filled(disk, { start: changed.startBytes, end }))]);
  const known = new Map(before.ranges.filter((range) => range.end <= changed.startBytes || range.start >= end).map(({ start, end: to, sha256 }) => [`${start}-${to}`, sha256]));
  const mapped: BlockMap['ranges'] = [];
  for (const range of ranges) mapped.push({ ...range, sha256: known.get(`${range.start}-${range.end}`) ?? (await sha256File(disk, [range])) });
  return encodeBmap({ imageBytes: before.imageBytes, ranges: mapped });
}

/** Blocks of a part of the disk that are not zeros. */
async function filled(disk: string, { start, end }: Range): Promise<Range[]> {
  const file = await open(disk);
  const found: Range[] = [];
  const zeros = Buffer.alloc(bmapBlockBytes);
  const block = Buffer.alloc(bmapBlockBytes);
  try {
    for (let at = start - (start % bmapBlockBytes); at < end; at += bmapBlockBytes) {
      const { bytesRead } = await file.read(block, 0, bmapBlockBytes, at);
      if (!block.subarray(0, bytesRead).equals(zeros.subarray(0, bytesRead))) found.push({ start: at, end: Math.min(at + bmapBlockBytes, end) });
    }
  } finally {
    await file.close();
  }
  return found;
}

function merge(ranges: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  return merged;
}

/** SHA256SUMS with the sums of some files made anew; files that it does not name stay out. */
export async function sumsWith(text: string, files: readonly [name: string, content: { file: string } | { text: string }][]): Promise<string> {
  let now = text;
  for (const [name, content] of files) {
    const at = now.split('\n').findIndex((line) => line.slice(66) === name);
    if (at < 0) continue;
    const sum = 'file' in content ? await sha256File(content.file) : createHash('sha256').update(content.text).digest('hex');
    now = now.split('\n').map((line, index) => (index === at ? `${sum}  ${name}` : line)).join('\n');
  }
  return now;
}
