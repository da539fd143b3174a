import type { StepContext } from '../model/index.ts';
import { roundUp } from './byte-size.ts';
import { setAttributes } from './ext4-attributes.ts';

/** Ranges of bytes, in order, not touching each other. */
export type ByteRanges = Array<{ start: number; end: number }>;

export const ext4BlockBytes = 4096;
const features = 'has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum,metadata_csum_seed';

/**
 * Makes an ext4 in a new file, empty but for `content`: the input that is an archive, and the tree whose mke2fs can read it. Features are named one by one, so that no configuration file decides; blocks are those of a
 * large file system, since it grows on the device; metadata_csum_seed lets the first boot change the UUID by writing a single block.
 * @param options.image path inside the sandbox, in a folder mounted from `folder`
 */
export async function makeExt4(
  context: StepContext<'image/disk'>,
  options: { folder: string; image: string; sizeBytes: number; label: string; uuid: string; journalMebibytes: number; content?: { input: string; tree: string } },
): Promise<void> {
  const { folder, image, sizeBytes, label, uuid, journalMebibytes, content } = options;
  const extended = `hash_seed=${uuid},lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0`;
  await context.tool({
    // With the time of the build mke2fs would make files of applications older that are younger than it.
    argv: [...(content === undefined ? [] : ['env', '-u', 'SOURCE_DATE_EPOCH']), 'mke2fs', '-q', '-F', '-t', 'ext4', '-b', String(ext4BlockBytes), '-I', '256', '-i', '16384', '-m', '1', '-O', `none,${features}`].concat(
      ['-J', `size=${journalMebibytes}`, '-L', label, '-U', uuid, '-E', extended, ...(content === undefined ? [] : ['-d', `/in/${content.input}`]), `/scratch/${image}`, `${sizeBytes / 1024}k`],
    ),
    env: { E2FSPROGS_FAKE_TIME: String(context.epoch), MKE2FS_CONFIG: '/dev/null' },
    mounts: { '/scratch': { path: folder, rw: true } },
    ...(content === undefined ? {} : { tree: content.tree }),
  });
  if (content !== undefined) await setAttributes(context, { folder, image, archive: context.input(content.input), tree: content.tree });
}

/** Asks dumpe2fs which bytes of an ext4 image are in use: metadata, journal and files, zeros among them. */
export async function ext4Used(context: StepContext<'image/disk'>, folder: string, image: string): Promise<ByteRanges> {
  return usedRanges(await context.tool({ argv: ['dumpe2fs', `/scratch/${image}`], mounts: { '/scratch': { path: folder } } }));
}

/** From dumpe2fs' report: everything but the free blocks of all groups. */
export function usedRanges(report: string): ByteRanges {
  const count = Number(/^Block count:\s+(\d+)$/m.exec(report)?.[1]);
  if (!Number.isInteger(count)) throw new Error('dumpe2fs: no block count in its report');
  const free = [...report.matchAll(/^  Free blocks: (.+)$/gm)].flatMap(([, list = '']) =>
    list.split(', ').map((range) => {
      const [first = '', last = first] = range.split('-');
      return { first: Number(first), last: Number(last) };
    }),
  );
  free.sort((a, b) => a.first - b.first);
  const used: ByteRanges = [];
  let at = 0;
  for (const { first, last } of [...free, { first: count, last: count }]) {
    if (first > at) used.push({ start: at * ext4BlockBytes, end: first * ext4BlockBytes });
    at = Math.max(at, last + 1);
  }
  return used;
}

/** Ranges widened to whole blocks and merged where they touch. */
export function mergeRanges(ranges: ByteRanges, blockBytes: number): ByteRanges {
  const merged: ByteRanges = [];
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start)) {
    const range = { start: Math.floor(start / blockBytes) * blockBytes, end: roundUp(end, blockBytes) };
    const last = merged.at(-1);
    if (last !== undefined && range.start <= last.end) last.end = Math.max(last.end, range.end);
    else merged.push(range);
  }
  return merged;
}
