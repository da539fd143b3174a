import { readFile, writeFile } from 'node:fs/promises';
import type { StepContext } from '../../../model/index.ts';
import { addTar, writeTree, type RootTree } from './root-tree.ts';

type Deliverer = Pick<StepContext, 'deliver' | 'epoch' | 'output'>;

/** Writes a tree as output `name` of a step and hands it to the store with the hash counted on the way. */
export async function deliverTree(context: Deliverer, name: string, tree: RootTree, progress?: (doneBytes: number) => void): Promise<void> {
  const file = context.output(name);
  await context.deliver(name, file, await writeTree(tree, file, context.epoch, progress));
}

/** Like deliverTree, with an output `<name>.digests` beside it (JSON: path → SHA-256) for a step that copies files from this one. */
export async function deliverWithDigests(context: Deliverer, name: string, tree: RootTree): Promise<void> {
  const file = context.output(name);
  const digests = new Map<string, string>();
  await context.deliver(name, file, await writeTree(tree, file, context.epoch, undefined, digests));
  await writeFile(context.output(`${name}.digests`), JSON.stringify(Object.fromEntries(digests)));
}

/** Digests of files that stand unchanged in archives, by archive and place in it. */
export type KnownDigests = Map<string, string>;

/** Adds an archive to a tree as addTar does, and its digests to those that are known. */
export async function addTarWithDigests(tree: RootTree, known: KnownDigests, file: string, digests: string): Promise<void> {
  addTar(tree, file);
  for (const [path, sha256] of Object.entries(JSON.parse(await readFile(digests, 'utf8')) as Record<string, string>)) {
    const content = tree.get(path)?.content;
    if (content && 'file' in content && content.file === file) known.set(`${file}:${content.offset}`, sha256);
  }
}

/** Of the files of a tree, the digests that are known (path → SHA-256). */
export function digestsOf(tree: RootTree, known: KnownDigests): Record<string, string> {
  const digests: Record<string, string> = {};
  for (const { entry, content } of tree.values()) {
    const sha256 = content && 'file' in content ? known.get(`${content.file}:${content.offset}`) : undefined;
    if (sha256 !== undefined && entry.sizeBytes > 0) digests[entry.path] = sha256;
  }
  return digests;
}
