import { spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from './lab.ts';

/** A file system whose device notes every write and every flush. */
export interface LoggedDisk {
  /** Where it is mounted, which only the lab sees. */
  folder: string;
  /** The disk before its first write. */
  basePath: string;
  logPath: string;
  /** What has been noted so far; nothing that a finished call has written is missing. */
  logBytes(): number;
  close(): Promise<void>;
}

const SERVER = join(import.meta.dirname, 'logged-disk-server.mjs');

/** Why there can be none here; undefined when there can. */
export function loggedDiskObstacle(): string | undefined {
  for (const path of ['/dev/fuse', '/dev/loop-control']) if (!existsSync(path)) return `there is no ${path}`;
  for (const program of ['mkfs.ext4', 'losetup']) if (spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin command -v ${program}`]).status !== 0) return `${program} is not installed`;
  return undefined;
}

export async function openLoggedDisk(lab: Lab, sizeBytes: number): Promise<LoggedDisk> {
  const at = (name: string): string => join(lab.folder, name);
  const sh = (script: string): string => {
    const { code, stdout, stderr } = lab.run(['sh', '-ec', `PATH=$PATH:/usr/sbin; cd ${lab.folder}; ${script}`]);
    if (code !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  sh(`truncate -s ${sizeBytes} disk.base; mkfs.ext4 -q -m 0 -E nodiscard disk.base; cp --sparse=always disk.base disk.img; touch disk.dev; mkdir disk`);
  writeFileSync(at('disk.log'), '');
  // A process of its own: ours waits for programs that wait for the disk.
  const server: ChildProcess = lab.spawn(['node', SERVER, at('disk.dev'), at('disk.img'), at('disk.log')]);
  const gone = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const up = await Promise.race([new Promise<boolean>((resolve) => server.stdout?.once('data', () => resolve(true))), gone.then(() => false)]);
  if (!up) throw new Error('the disk’s server has ended');
  const loop = sh('losetup --find --show disk.dev');
  sh(`mount ${loop} disk`);
  return {
    folder: at('disk'),
    basePath: at('disk.base'),
    logPath: at('disk.log'),
    logBytes: () => statSync(at('disk.log')).size,
    async close() {
      lab.run(['sh', '-c', `PATH=$PATH:/usr/sbin; cd ${lab.folder}; umount disk; losetup -d ${loop}; umount -l disk.dev`]);
      server.kill('SIGKILL');
      await gone;
    },
  };
}

export interface LogEntry {
  /** Of its end in the log. */
  end: number;
  /** Undefined for a flush. */
  write: { offset: number; dataAt: number; sizeBytes: number } | undefined;
}

const HEAD_BYTES = 16;
const FLUSH = 2n ** 64n - 1n;

export function readDiskLog(path: string): LogEntry[] {
  const fd = openSync(path, 'r');
  const entries: LogEntry[] = [];
  const head = Buffer.alloc(HEAD_BYTES);
  for (let at = 0; readSync(fd, head, 0, HEAD_BYTES, at) === HEAD_BYTES; ) {
    const [offset, sizeBytes] = [head.readBigUInt64LE(0), Number(head.readBigUInt64LE(8))];
    const end = at + HEAD_BYTES + sizeBytes;
    entries.push({ end, write: offset === FLUSH ? undefined : { offset: Number(offset), dataAt: at + HEAD_BYTES, sizeBytes } });
    at = end;
  }
  closeSync(fd);
  return entries;
}

const BLOCK_BYTES = 4096;

/**
 * Makes the disk as a power cut after `count` entries leaves it: what was written before the last flush is there, and of each later block whatever `keeps` says. Counts must not fall
 * from call to call.
 */
export function createReplay(disk: Pick<LoggedDisk, 'basePath' | 'logPath'>, entries: readonly LogEntry[]): (count: number, keeps: () => boolean, path: string) => void {
  const prefixPath = `${disk.basePath}.prefix`;
  copySparse(disk.basePath, prefixPath);
  let applied = 0;
  const apply = (path: string, from: number, to: number, keeps: () => boolean): void => {
    const [log, fd] = [openSync(disk.logPath, 'r'), openSync(path, 'r+')];
    for (const { write } of entries.slice(from, to)) {
      if (write === undefined) continue;
      const data = Buffer.alloc(write.sizeBytes);
      readSync(log, data, 0, data.length, write.dataAt);
      for (let at = 0; at < data.length; at += BLOCK_BYTES) if (keeps()) writeSync(fd, data, at, Math.min(BLOCK_BYTES, data.length - at), write.offset + at);
    }
    closeSync(log);
    closeSync(fd);
  };
  return (count, keeps, path) => {
    const flushed = entries.slice(0, count).findLastIndex(({ write }) => write === undefined) + 1;
    apply(prefixPath, applied, flushed, () => true);
    applied = flushed;
    copySparse(prefixPath, path);
    apply(path, flushed, count, keeps);
  };
}

function copySparse(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['--sparse=always', from, to]);
  if (status !== 0) throw new Error(stderr.toString());
}
