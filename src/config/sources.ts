import { createHash } from 'node:crypto';
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { SourceFile } from '../model/index.ts';

/** Everything below a folder with its digests, sorted by path. A missing folder has no files. */
export async function scanSources(root: string, skip: (path: string) => boolean = () => false): Promise<SourceFile[]> {
  const found: SourceFile[] = [];
  await scan(root, '', skip, found);
  return found.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

async function scan(root: string, below: string, skip: (path: string) => boolean, found: SourceFile[]): Promise<void> {
  let entries;
  try {
    entries = await readdir(join(root, below), { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && below === '') return;
    throw error;
  }
  for (const entry of entries) {
    const path = below ? `${below}/${entry.name}` : entry.name;
    if (skip(path)) continue;
    const full = join(root, path);
    if (entry.isDirectory()) await scan(root, path, skip, found);
    else if (entry.isSymbolicLink()) found.push({ path, digest: sha256(await readlink(full)), type: 'link' });
    else if (entry.isFile()) {
      const executable = ((await stat(full)).mode & 0o100) !== 0;
      found.push({ path, digest: sha256(await readFile(full)), type: executable ? 'executable' : 'file' });
    }
  }
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
