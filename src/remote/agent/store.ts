import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, chmod, copyFile, lstat, mkdir, open, readdir, readlink, rename, rm, rmdir, stat, symlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';

import type { ReceiveRequest, TreeFile } from '../protocol.ts';

/** Trees and their files that nothing used for so long are removed. */
const keptMs = 14 * 86_400_000;
/** What a tree has beside what was sent: made by its own program, or by us. */
const ownNames = new Set(['node_modules', 'dist', 'out']);

export const treeFolder = (root: string, digest: string): string => join(root, 'trees', digest);
const blobFile = (root: string, sha256: string): string => join(root, 'cas', sha256.slice(0, 2), sha256);

/** Digests of which the store has no file of that size, each once, in the order of the trees. */
export async function missingBlobs(root: string, trees: ReceiveRequest['trees']): Promise<Map<string, number>> {
  const missing = new Map<string, number>();
  for (const file of trees.flatMap(({ files }) => files)) {
    if ('link' in file || missing.has(file.sha256)) continue;
    const there = await stat(blobFile(root, file.sha256)).catch(() => null);
    if (there?.size !== file.sizeBytes) missing.set(file.sha256, file.sizeBytes);
  }
  return missing;
}

/** Takes files out of a stream, one after the other, and stores each that is what its digest says. Throws for one that is not, and for an early end. */
export async function takeBlobs(root: string, wanted: ReadonlyMap<string, number>, input: Readable): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  const chunks = input[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  for (const [sha256, sizeBytes] of wanted) {
    const target = blobFile(root, sha256);
    await mkdir(dirname(target), { recursive: true });
    const part = `${target}.${process.pid}`;
    const file = await open(part, 'w');
    const hash = createHash('sha256');
    try {
      for (let left = sizeBytes; left > 0; ) {
        if (rest.length === 0) {
          const next = await chunks.next();
          if (next.done === true) throw new Error('the connection ended in the middle of a file');
          rest = next.value;
        }
        const now = rest.subarray(0, left);
        rest = rest.subarray(now.length);
        left -= now.length;
        hash.update(now);
        await file.writeFile(now);
      }
      await file.close();
      if (hash.digest('hex') !== sha256) throw new Error(`a file arrived damaged: ${sha256}`);
      await rename(part, target);
    } finally {
      await file.close().catch(() => undefined);
      await rm(part, { force: true });
    }
  }
}

/** Makes a folder hold just these files, leaving what is right as it is. Returns how many it had to write. */
export async function writeTree(root: string, { digest, files }: ReceiveRequest['trees'][number]): Promise<number> {
  const folder = treeFolder(root, digest);
  await mkdir(folder, { recursive: true });
  const wanted = new Map(files.map((file) => [file.path, file]));
  for (const path of await listFiles(folder, '')) if (!wanted.has(path)) await rm(join(folder, path), { force: true });
  let written = 0;
  for (const file of files) if (await put(root, join(folder, file.path), file)) written++;
  const now = new Date();
  await utimes(folder, now, now);
  return written;
}

/** Files of a tree that are not what was sent: what a build has written, such as locks. */
export async function changedFiles(folder: string, files: readonly TreeFile[], below: string): Promise<Array<{ path: string; sha256: string; sizeBytes: number }>> {
  const sent = new Map(files.map((file) => [file.path, file]));
  const changed: Array<{ path: string; sha256: string; sizeBytes: number }> = [];
  for (const path of await listFiles(folder, below)) {
    const info = await lstat(join(folder, path));
    if (!info.isFile()) continue;
    const sha256 = await fileHash(join(folder, path));
    const before = sent.get(path);
    if (before === undefined || !('sha256' in before) || before.sha256 !== sha256) changed.push({ path, sha256, sizeBytes: info.size });
  }
  return changed;
}

/** Removes trees and stored files that were not used for two weeks. */
export async function forgetUnused(root: string, nowMs: number): Promise<void> {
  const old = async (path: string): Promise<boolean> => nowMs - ((await stat(path).catch(() => null))?.mtimeMs ?? nowMs) > keptMs;
  for (const kind of ['trees', 'lists', 'modules']) {
    for (const name of await readdir(join(root, kind)).catch(() => [])) if (await old(join(root, kind, name))) await rm(join(root, kind, name), { recursive: true, force: true });
  }
  for (const start of await readdir(join(root, 'cas')).catch(() => [])) {
    for (const name of await readdir(join(root, 'cas', start))) if (await old(join(root, 'cas', start, name))) await rm(join(root, 'cas', start, name), { force: true });
  }
}

async function put(root: string, path: string, file: TreeFile): Promise<boolean> {
  const there = await lstat(path).catch(() => null);
  if ('link' in file) {
    if (there?.isSymbolicLink() === true && (await readlink(path)) === file.link) return false;
    await rm(path, { recursive: true, force: true });
    await mkdir(dirname(path), { recursive: true });
    await symlink(file.link, path);
    return true;
  }
  const blob = blobFile(root, file.sha256);
  const now = new Date();
  await utimes(blob, now, now);
  const mode = file.executable ? 0o755 : 0o644;
  if (there?.isFile() === true && there.size === file.sizeBytes && (there.mode & 0o777) === mode && (await fileHash(path)) === file.sha256) return false;
  await rm(path, { recursive: true, force: true });
  await mkdir(dirname(path), { recursive: true });
  const part = `${path}.${process.pid}.part`;
  await copyFile(blob, part);
  await chmod(part, mode);
  if ((await fileHash(part)) !== file.sha256) {
    // The next attempt gets it sent anew.
    await rm(part, { force: true });
    await rm(blob, { force: true });
    throw new Error(`the stored ${file.path} is damaged`);
  }
  await rename(part, path);
  return true;
}

async function listFiles(folder: string, below: string): Promise<string[]> {
  const found: string[] = [];
  const entries = await readdir(join(folder, below), { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (below === '' && ownNames.has(entry.name)) continue;
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (!entry.isDirectory()) found.push(path);
    else {
      const inside = await listFiles(folder, path);
      if (inside.length === 0) await rmdir(join(folder, path)).catch(() => undefined);
      found.push(...inside);
    }
  }
  return found;
}

export async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

export const exists = (path: string): Promise<boolean> => access(path).then(() => true, () => false);
