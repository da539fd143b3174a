import type { RootTree, TarEntry, TreeNode } from '../tar/index.ts';
import { newEntry, realParent } from '../tar/index.ts';

/** The files of one package that were kept, with paths as packaged but for the merged /usr. */
export interface PackageFiles {
  name: string;
  /** Packages whose files this one may replace. */
  replaces: Set<string>;
  nodes: TreeNode[];
  /** Folders that were left out; taken in again where something below them was kept. */
  excludedFolders: Map<string, TarEntry>;
}

/** Two packages bring the same path with different content, and neither replaces the other. */
export interface Conflict {
  path: string;
  packages: [string, string];
}

/** Top-level folders that are links into /usr on a merged system. */
export const mergedFolders = ['bin', 'sbin', 'lib', 'lib64', 'lib32', 'libx32'];

/** Moves a path of a top-level folder that is merged into /usr. */
export function usrMerged(path: string): string {
  const slash = path.indexOf('/');
  const top = slash < 0 ? path : path.slice(0, slash);
  return slash > 0 && mergedFolders.includes(top) ? `usr/${path}` : path;
}

/**
 * Merges packages into one tree, in the order given. Where a path goes through a link of another package (/var/run), it
 * is moved to where the link leads, as unpacking on a running system would.
 * @param same tells whether two files have the same content
 */
export async function mergePackages(
  packages: PackageFiles[],
  same: (a: TreeNode, b: TreeNode) => Promise<boolean>,
): Promise<{ tree: RootTree; conflicts: Conflict[]; owners: Map<string, string> }> {
  const tree: RootTree = new Map();
  const owners = new Map<string, string>();
  const conflicts: Conflict[] = [];
  for (const [path, target] of systemLinks(packages)) tree.set(path, { entry: newEntry(path, 'link', { target }), content: null });
  for (const item of packages) {
    for (const node of item.nodes) {
      if (node.entry.type !== 'link' || tree.has(node.entry.path)) continue;
      tree.set(node.entry.path, node);
      owners.set(node.entry.path, item.name);
    }
  }
  const replacers = new Map(packages.map(({ name, replaces }) => [name, replaces]));
  for (const item of packages) {
    for (const original of item.nodes) {
      const node = moved(tree, original);
      const { path, type } = node.entry;
      if (path !== original.entry.path && tree.get(original.entry.path) === original) tree.delete(original.entry.path);
      const present = tree.get(path);
      if (present === original) continue;
      const owner = owners.get(path) ?? '';
      if (present !== undefined) {
        const folders = present.entry.type === 'folder' || type === 'folder';
        if (folders && /^(folder|link)$/.test(present.entry.type) && /^(folder|link)$/.test(type)) continue;
        if (replacers.get(owner)?.has(item.name) === true || (await sameNode(present, node, same))) continue;
        if (!item.replaces.has(owner)) {
          conflicts.push({ path, packages: [owner, item.name] });
          continue;
        }
      }
      tree.set(path, node);
      owners.set(path, item.name);
    }
  }
  addParents(tree, packages);
  return { tree, conflicts, owners };
}

/** Links that every system has before its packages: into /usr, and those that base-files makes by its script. */
function systemLinks(packages: PackageFiles[]): [path: string, target: string][] {
  const links: [string, string][] = mergedFolders.slice(0, 3).map((folder) => [folder, `usr/${folder}`]);
  if (packages.some(({ name }) => name === 'base-files')) links.push(['var/run', '/run'], ['var/lock', '/run/lock']);
  return links;
}

function moved(tree: RootTree, node: TreeNode): TreeNode {
  const path = realParent(tree, node.entry.path);
  const target = node.entry.type === 'hardlink' ? realParent(tree, node.entry.target) : node.entry.target;
  return path === node.entry.path && target === node.entry.target ? node : { ...node, entry: { ...node.entry, path, target } };
}

async function sameNode(a: TreeNode, b: TreeNode, same: (a: TreeNode, b: TreeNode) => Promise<boolean>): Promise<boolean> {
  if (a.entry.type !== b.entry.type || a.entry.target !== b.entry.target || a.entry.sizeBytes !== b.entry.sizeBytes) return false;
  return a.entry.type !== 'file' || same(a, b);
}

function addParents(tree: RootTree, packages: PackageFiles[]): void {
  const excluded = new Map<string, TarEntry>();
  for (const item of packages) for (const [path, entry] of item.excludedFolders) if (!excluded.has(path)) excluded.set(path, entry);
  for (const path of [...tree.keys()]) {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const parent = path.slice(0, slash);
      if (tree.has(parent)) break;
      tree.set(parent, { entry: excluded.get(parent) ?? newEntry(parent, 'folder'), content: null });
    }
  }
}
