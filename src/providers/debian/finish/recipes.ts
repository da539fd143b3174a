import { readFile, readlink } from 'node:fs/promises';
import { OsbuildError, type SourceFile } from '../../../model/index.ts';
import type { FinishArgs, FinishRecipe } from '../../../model/steps-debian.ts';
import { exists, newEntry, putFile, putFolder, putLink, readText, realParent, realPath, removePath, type RootTree, type TreeNode } from '../tar/index.ts';
import { ownerNumbers, type Accounts } from './accounts.ts';

type Mode = FinishArgs['mode'];

/** A recipe's files as a task receives them: path relative to its folder → host path, and what kind each is. */
export interface RecipeFiles {
  paths: Map<string, string>;
  types: Map<string, SourceFile['type']>;
}

/** Puts a recipe's files/ and files.<mode>/ into the tree, owned by root. They replace packaged files. */
export async function addRecipeFiles(tree: RootTree, files: RecipeFiles, mode: Mode): Promise<void> {
  for (const folder of ['files/', `files.${mode}/`]) {
    for (const [source, hostPath] of files.paths) {
      if (!source.startsWith(folder)) continue;
      const place = source.slice(folder.length);
      const type = files.types.get(source) ?? 'file';
      clear(tree, place);
      if (type === 'link') putLink(tree, place, await readlink(hostPath));
      else putFile(tree, place, await readFile(hostPath), { mode: type === 'executable' ? 0o755 : 0o644 });
    }
  }
}

/**
 * Replaces text of packaged files, as the recipe's `edits` say.
 * @throws OSB_CONFIG_INVALID for a file that is not in the image, and for a text that it does not hold exactly once
 */
export function applyRecipeEdits(tree: RootTree, recipe: FinishRecipe): void {
  for (const { path, find, replace } of recipe.edits ?? []) {
    const place = realPath(tree, relative(path));
    const text = readText(tree, place);
    const parts = text?.split(find) ?? [];
    if (text === null || parts.length !== 2) {
      const found = text === null ? 'no such file is in the image' : `the text to be replaced stands there ${parts.length === 1 ? 'nowhere' : `${parts.length - 1} times`}`;
      throw new OsbuildError('OSB_CONFIG_INVALID', `recipe ${recipe.name}: ${path} cannot be edited: ${found}.`, {
        hint: text === null ? 'Name the file as the package has it.' : 'The package has changed: look whether it still needs the edit, then mend the text or remove the edit from the recipe.',
        details: { path, find },
      });
    }
    const { mode, uid, gid, mtime } = (tree.get(place) as TreeNode).entry;
    putFile(tree, place, parts.join(replace), { mode, uid, gid, mtime });
  }
}

/** Makes a recipe's links; they replace whatever stands in their place, but never a folder that holds something. */
export function addRecipeLinks(tree: RootTree, recipe: FinishRecipe, mode: Mode): void {
  for (const [path, target] of Object.entries({ ...recipe.links, ...recipe[mode]?.links })) {
    const place = realParent(tree, relative(path));
    if ([...tree.keys()].some((key) => key.startsWith(`${place}/`))) {
      throw new OsbuildError('OSB_CONFIG_INVALID', `recipe ${recipe.name}: ${path} cannot become a link: it is a folder with something in it.`, { hint: 'Exclude what stands in it, or choose another path.' });
    }
    tree.delete(place);
    putLink(tree, place, target);
  }
}

/**
 * Applies `files`, `statoverrides` and `state` of a recipe: modes and owners, folders to be made.
 * @throws OSB_CONFIG_INVALID for a path that is not in the image, or an unknown owner
 */
export function applyRecipeModes(tree: RootTree, recipe: FinishRecipe, mode: Mode, accounts: Accounts): void {
  const origin = `recipe ${recipe.name}`;
  const wishes = { ...recipe.statoverrides, ...recipe.files, ...recipe[mode]?.files };
  for (const [path, { mode: bits, owner }] of Object.entries(wishes)) {
    const rest = { ...(bits === undefined ? {} : { mode: Number.parseInt(bits, 8) }), ...(owner === undefined ? {} : ownerNumbers(accounts, owner, origin)) };
    if (path.endsWith('/')) {
      putFolder(tree, relative(path), rest);
      continue;
    }
    const place = realPath(tree, relative(path));
    const node = tree.get(place);
    if (node === undefined) {
      throw new OsbuildError('OSB_CONFIG_INVALID', `${origin}: ${path} is not in the image.`, { hint: 'Put the file below files/ of the recipe, or end the path with / to make a folder.', details: { path } });
    }
    const changed: TreeNode = { ...node, entry: { ...node.entry, ...rest } };
    tree.set(place, changed);
  }
}

/**
 * Makes the writable paths where the image lacks them, and lists them for the initrd: one line each, sorted, parents first:
 * `<path> <mode> <uid>:<gid> <state|data>`.
 */
export function statePaths(tree: RootTree, recipes: FinishRecipe[], accounts: Accounts): string {
  const lines = new Map<string, string>();
  for (const recipe of recipes) {
    for (const item of recipe.state ?? []) {
      const { path, mode, owner, on } = typeof item === 'string' ? { path: item, mode: undefined, owner: undefined, on: undefined } : item;
      const rest = { ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }), ...(owner === undefined ? {} : ownerNumbers(accounts, owner, `recipe ${recipe.name}`)) };
      const place = realPath(tree, relative(path));
      const present = tree.get(place)?.entry;
      if (present === undefined || present.type === 'folder') putFolder(tree, place, rest);
      else tree.set(place, { ...(tree.get(place) as TreeNode), entry: { ...present, ...rest } });
      const entry = tree.get(place)?.entry ?? newEntry(place, 'folder');
      lines.set(place, `/${place} ${entry.mode.toString(8).padStart(4, '0')} ${entry.uid}:${entry.gid} ${on ?? 'state'}\n`);
    }
  }
  return [...lines].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line).join('');
}

function clear(tree: RootTree, path: string): void {
  const place = realParent(tree, path);
  const type = tree.get(place)?.entry.type;
  if (type !== undefined && type !== 'folder') tree.delete(place);
  if (type === 'folder' && exists(tree, place)) {
    if ([...tree.keys()].some((key) => key.startsWith(`${place}/`))) throw new OsbuildError('OSB_CONFIG_INVALID', `/${place} of a recipe is a folder in the image.`);
    removePath(tree, place);
  }
}

function relative(path: string): string {
  return path.replace(/^\/+/, '').replace(/\/+$/, '');
}
