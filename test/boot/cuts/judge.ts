import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import type { DiskPartitions, PartitionRange } from '../../../src/device/disk-partitions.ts';
import type { ToolsTree } from '../../../src/device/tools-tree.ts';

type Slot = 'A' | 'B';

/** What a slot holds that is whole. Both slots have the same release here. */
export interface WholeSlot {
  /** File system and hash tree. */
  root: { sha256: string; sizeBytes: number };
  /** What the loader tells the initrd of the tree. */
  verity: string;
  kernel: string;
  initrd: string;
}

export interface Verdict {
  /** The slot that the loader starts, and whether that is a trial. */
  starts: { slot: Slot; trial: boolean };
  /** Phase of the record of the update, or none. */
  phase: string | null;
}

interface Entry {
  file: string;
  slot: Slot;
  triesLeft: number | undefined;
  version: number;
  linux: string;
  initrd: string;
  options: string;
}

/** Looks at disks as the programs do that meet them at a start: the loader, the initrd's checks of file systems, the engine. None of our own code has a part in it. */
export interface Judge {
  /** What the shipped slot A holds. */
  wholeSlot(disk: string): Promise<WholeSlot>;
  /** @throws Error that says what is wrong with the disk */
  judge(disk: string, whole: WholeSlot, mark: string): Promise<Verdict>;
}

/** @param options.imageTools tree with fsck.fat; `emulation` has mtools */
export function openJudge({ partitions, folder, imageTools, emulation }: { partitions: Omit<DiskPartitions, 'data'>; folder: string; imageTools: ToolsTree; emulation: ToolsTree }): Judge {
  const at = (name: string): string => join(folder, name);
  mkdirSync(folder, { recursive: true });
  const carve = (disk: string, { startBytes, sizeBytes }: PartitionRange, name: string): string => {
    run(['dd', `if=${disk}`, `of=${at(name)}`, 'bs=1M', 'iflag=skip_bytes,count_bytes', `skip=${startBytes}`, `count=${sizeBytes}`, 'conv=sparse', 'status=none']);
    return at(name);
  };
  /** Reads the boot partition without its checks, as firmware does. */
  const readBoot = async (): Promise<string> => {
    rmSync(at('boot'), { recursive: true, force: true });
    mkdirSync(at('boot'));
    // Slot B may have no folder. A folder that cannot be read whole may be one that nothing starts from: what is missing then is found missing.
    await inTree(emulation, 'for folder in A B loader; do mcopy -s -n -Q -i /judge/boot.vfat ::$folder /judge/boot; done 2>/judge/said || true');
    if (!existsSync(join(at('boot'), 'loader'))) throw new Error(`the loader's folder cannot be read: ${readFileSync(at('said'), 'utf8')}`);
    return at('boot');
  };
  const inTree = (tree: ToolsTree, script: string): Promise<string> => tree.run({ argv: ['sh', '-c', script], mounts: { '/judge': { path: folder, rw: true } }, name: 'judge' });
  return {
    async wholeSlot(disk) {
      carve(disk, partitions.boot, 'boot.vfat');
      const boot = await readBoot();
      const verity = verityOf(chosen(boot));
      const sizeBytes = treeEnd(verity, erofsBytes(disk, partitions.rootA));
      return { verity, root: { sizeBytes, sha256: hashRange(disk, partitions.rootA.startBytes, sizeBytes) }, kernel: hashFile(join(boot, 'A/kernel')), initrd: hashFile(join(boot, 'A/initrd')) };
    },
    async judge(disk, whole, mark) {
      carve(disk, partitions.boot, 'boot.vfat');
      const raw = chosen(await readBoot());
      // What the initrd's check of the file system leaves must start the same.
      await inTree(imageTools, 'fsck.fat -a -w /judge/boot.vfat; [ $? -le 1 ] && fsck.fat -n /judge/boot.vfat');
      const boot = await readBoot();
      const entry = chosen(boot);
      if (entry.file !== raw.file) throw new Error(`the loader starts ${raw.file}, and ${entry.file} after the file system's check`);
      const isWhole = (one: Entry): string | undefined => {
        const { slot, linux, initrd } = one;
        if (verityOf(one) !== whole.verity) return `slot ${slot}: the loader tells of another hash tree`;
        for (const [path, wanted] of [[linux, whole.kernel], [initrd, whole.initrd]] as const) {
          const file = join(boot, path);
          if (!existsSync(file)) return `slot ${slot} has no ${path}`;
          if (hashFile(file) !== wanted) return `slot ${slot}: ${path} is not whole`;
        }
        const range = partitions[slot === 'A' ? 'rootA' : 'rootB'];
        return hashRange(disk, range.startBytes, whole.root.sizeBytes) === whole.root.sha256 ? undefined : `slot ${slot}: its root is not whole`;
      };
      const trial = entry.triesLeft !== undefined;
      const faults = [isWhole(entry)];
      if (trial) {
        const back = best(entriesOf(boot).filter(({ triesLeft }) => triesLeft === undefined));
        faults.push(back === undefined ? 'there is nothing to fall back to' : isWhole(back));
      }
      const fault = faults.find((text) => text !== undefined);
      if (fault !== undefined) throw new Error(fault);
      // 0: nothing to do, 1: mended.
      const state = carve(disk, partitions.state, 'state.ext4');
      run(['e2fsck', '-p', state], [0, 1]);
      run(['e2fsck', '-fn', state]);
      return { starts: { slot: entry.slot, trial }, phase: readState(state, mark) };
    },
  };

  function readState(image: string, mark: string): string | null {
    // The state partition keeps the root's writable paths below /root.
    const cat = (path: string): string => spawnSync('debugfs', ['-R', `cat /root${path}`, image], { encoding: 'utf8' }).stdout;
    if (cat('/etc/minke/cut-mark').trim() !== mark) throw new Error('the mark on the state partition is gone');
    const record = cat('/var/lib/minke/os/update.json');
    return record === '' ? null : (JSON.parse(record) as { phase: string }).phase;
  }
}

function entriesOf(boot: string): Entry[] {
  return readdirSync(join(boot, 'loader/entries')).flatMap((file) => {
    const match = /^minke-([ab])(?:\+(\d+)(?:-\d+)?)?\.conf$/i.exec(file);
    if (match === null) return [];
    const text = readFileSync(join(boot, 'loader/entries', file), 'utf8');
    const field = (name: string): string => {
      const value = new RegExp(`^${name}\\s+(.*?)\\s*$`, 'm').exec(text)?.[1];
      if (value === undefined) throw new Error(`${file} has no ${name}`);
      return value;
    };
    return [{ file, slot: match[1]?.toUpperCase() as Slot, triesLeft: match[2] === undefined ? undefined : Number(match[2]), version: Number(field('version')), linux: field('linux'), initrd: field('initrd'), options: field('options') }];
  });
}

function verityOf({ file, options }: Entry): string {
  const value = /(?:^| )minke\.verity=(\S+)/.exec(options)?.[1];
  if (value === undefined) throw new Error(`${file} tells of no hash tree`);
  return value;
}

/** Where the tree ends that begins behind so many bytes of data: 128 hashes in each of its blocks, up to a single one. */
function treeEnd(verity: string, dataBytes: number): number {
  const [data = 0, start = 0] = verity.split(':').slice(2).map(Number);
  if (data * 4096 !== dataBytes) throw new Error(`the hash tree is one of ${data} blocks, and the file system has ${dataBytes} bytes`);
  let blocks = start;
  for (let level = data; level > 1; ) {
    level = Math.ceil(level / 128);
    blocks += level;
  }
  return blocks * 4096;
}

const best = (entries: readonly Entry[]): Entry | undefined => entries.toSorted((a, b) => b.version - a.version)[0];

/** The Boot Loader Specification's order: entries without tries left come last, of the others the highest version comes first. */
function chosen(boot: string): Entry {
  const entries = entriesOf(boot);
  const entry = best(entries.filter(({ triesLeft }) => triesLeft !== 0)) ?? best(entries);
  if (entry === undefined) throw new Error('the loader has no entry');
  return entry;
}

/** From the superblock: blocks times their size. */
function erofsBytes(disk: string, { startBytes }: PartitionRange): number {
  const block = readRange(disk, startBytes + 1024, 128);
  if (block.readUInt32LE(0) !== 0xe0f5e1e2) throw new Error('slot A holds no erofs');
  return block.readUInt32LE(36) * 2 ** (block[12] ?? 12);
}

function readRange(path: string, offset: number, sizeBytes: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(sizeBytes);
    readSync(file, bytes, 0, sizeBytes, offset);
    return bytes;
  } finally {
    closeSync(file);
  }
}

function hashRange(path: string, offset: number, sizeBytes: number): string {
  const hash = createHash('sha256');
  for (let at = 0; at < sizeBytes; at += 1 << 22) hash.update(readRange(path, offset + at, Math.min(1 << 22, sizeBytes - at)));
  return hash.digest('hex');
}

const hashFile = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

function run(argv: readonly string[], good: readonly number[] = [0]): string {
  const [program = '', ...words] = argv;
  const { status, stdout, stderr, error } = spawnSync(program, words, { encoding: 'utf8', env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } });
  if (!good.includes(status ?? -1)) throw new Error(`${argv.join(' ')} ended with ${status ?? error?.message}: ${stdout}${stderr}`);
  return stdout;
}
