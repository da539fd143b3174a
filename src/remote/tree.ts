import { createHash } from 'node:crypto';
import { readFile, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { TreeFile } from './protocol.ts';

/** Files to send, and where each is here. */
export interface SentTree {
  digest: string;
  files: TreeFile[];
  /** SHA-256 → file of this machine. */
  sources: Map<string, string>;
}

/** All files below `folder/below`, as paths from `folder`. What is neither file, folder nor link is left out. A `below` that is not there has none. */
export async function scanTree(folder: string, below: string, skip: (path: string) => boolean = () => false): Promise<SentTree> {
  const files: TreeFile[] = [];
  const sources = new Map<string, string>();
  const visit = async (path: string): Promise<void> => {
    const entries = await readdir(join(folder, path), { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' && path === below) return [];
      throw error;
    });
    for (const entry of entries) {
      const inside = path === '' || path === '.' ? entry.name : `${path}/${entry.name}`;
      if (skip(inside)) continue;
      if (entry.isDirectory()) await visit(inside);
      else if (entry.isSymbolicLink()) files.push({ path: inside, link: await readlink(join(folder, inside)) });
      else if (entry.isFile()) await add(inside);
    }
  };
  const add = async (path: string): Promise<void> => {
    const content = await readFile(join(folder, path));
    const sha256 = createHash('sha256').update(content).digest('hex');
    files.push({ path, sha256, sizeBytes: content.length, executable: ((await stat(join(folder, path))).mode & 0o100) !== 0 });
    sources.set(sha256, join(folder, path));
  };
  const info = below === '' || below === '.' ? null : await stat(join(folder, below)).catch(() => null);
  if (info?.isFile() === true) await add(below);
  else await visit(below);
  return finishTree(files, sources);
}

/** Several scans of one folder as one tree. */
export function joinTrees(trees: readonly SentTree[]): SentTree {
  const files = new Map(trees.flatMap((tree) => tree.files.map((file) => [file.path, file])));
  return finishTree([...files.values()], new Map(trees.flatMap(({ sources }) => [...sources])));
}

function finishTree(files: TreeFile[], sources: Map<string, string>): SentTree {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return { digest: treeDigest(sorted), files: sorted, sources };
}

/** What a tree is called by on the other host. Pure. */
export function treeDigest(files: readonly TreeFile[]): string {
  const lines = files.map((file) => ('link' in file ? `${file.path}\0link ${file.link}` : `${file.path}\0${file.executable ? 'executable' : 'file'} ${file.sha256}`));
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 32);
}
