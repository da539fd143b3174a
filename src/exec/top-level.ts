import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

import type { TopLevelEntry } from './sandbox.ts';

/** Folders that a sandbox makes itself, whatever the tree holds. */
const own = new Set(['proc', 'sys', 'dev', 'tmp', 'in', 'out']);

/** What of a tools tree is seen in a sandbox. */
export async function topLevel(tree: string): Promise<TopLevelEntry[]> {
  const entries = await readdir(tree, { withFileTypes: true });
  const found = entries.filter((entry) => !own.has(entry.name) && (entry.isDirectory() || entry.isSymbolicLink()));
  return Promise.all(found.map(async (entry) => ({ name: entry.name, link: entry.isSymbolicLink() ? await readlink(join(tree, entry.name)) : null })));
}
