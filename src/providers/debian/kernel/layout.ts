import picomatch from 'picomatch';
import { OsbuildError, type PackageManifest } from '../../../model/index.ts';
import { nearestNames } from '../apt/package-names.ts';
import { newEntry, type RootTree, type TreeNode } from '../tar/index.ts';

export const modulesFolder = 'usr/lib/modules';

/** The one version that there are modules of. */
export function kernelVersion(tree: RootTree): string {
  const versions = new Set([...tree.keys()].filter((key) => key.startsWith(`${modulesFolder}/`)).map((key) => key.split('/')[3] ?? ''));
  const [version] = versions;
  if (version === undefined || versions.size !== 1) throw new Error(`one kernel was expected in the kernel packages, found ${[...versions].join(', ') || 'none'}`);
  return version;
}

/** The program that a boot loader starts. Since 6.19 Debian's packages keep the kernel beside its modules. */
export function kernelImage(tree: RootTree, version: string): TreeNode {
  const places = [`boot/vmlinuz-${version}`, `boot/vmlinux-${version}`, `${modulesFolder}/${version}/vmlinuz`, `${modulesFolder}/${version}/vmlinux`];
  const image = places.map((place) => tree.get(place)).find((node) => node?.entry.type === 'file');
  if (image === undefined) throw new Error(`the kernel packages have none of ${places.join(', ')}`);
  return image;
}

/**
 * Counts what went into the image: modules, chosen and decompressed, and the kernel itself on the boot partition. They may
 * be of two packages. `owners` is null for a kernel that was built, or that is its maker's: then the one package of its sources, or its archive, stands for all.
 */
export function countInstalled(manifest: PackageManifest, tree: RootTree, image: TreeNode, modules: RootTree, owners: Map<string, string> | null): void {
  const moduleOwners = new Set([...tree.keys()].flatMap((key) => (key.startsWith(`${modulesFolder}/`) && /\.ko(\.\w+)?$/.test(key) ? (owners?.get(key) ?? []) : [])));
  const placed = [...modules.values()];
  const moduleBytes = placed.reduce((sum, { entry }) => sum + entry.sizeBytes, 0);
  const moduleFiles = placed.filter(({ entry }) => entry.type === 'file').length;
  for (const item of manifest.packages) {
    const hasImage = owners === null || owners.get(image.entry.path) === item.name;
    const hasModules = owners === null || moduleOwners.has(item.name);
    item.installedBytes = (hasImage ? image.entry.sizeBytes : 0) + (hasModules ? moduleBytes : 0);
    item.files = (hasImage ? 1 : 0) + (hasModules ? moduleFiles : 0);
  }
}

/** The trees that globs choose, below their makers' folders. @throws OSB_KERNEL_INCOMPLETE for a glob that finds none */
export function deviceTrees(tree: RootTree, version: string, wanted: string[]): RootTree {
  // The second one since 6.19, where the first is a link to it.
  const isTree = (folder: string): boolean => [...tree.keys()].some((key) => key.startsWith(folder) && key.endsWith('.dtb'));
  const folder = [`usr/lib/linux-image-${version}/`, `${modulesFolder}/${version}/dtb/`].find(isTree) ?? `usr/lib/linux-image-${version}/`;
  const available = [...tree.values()].filter(({ entry }) => entry.type === 'file' && entry.path.startsWith(folder));
  const chosen: RootTree = new Map();
  for (const glob of wanted) {
    const matches = picomatch(glob);
    const found = available.filter(({ entry }) => matches(entry.path.slice(folder.length)));
    if (found.length === 0) {
      const near = nearestNames(glob, available.map(({ entry }) => entry.path.slice(folder.length)));
      throw new OsbuildError('OSB_KERNEL_INCOMPLETE', `The kernel ${version} has no device tree ${glob}.`, {
        hint: near.length === 0 ? 'Look at the files of the linux-image package.' : `Did you mean ${near.join(', ')}?`,
        details: { deviceTree: glob, nearest: near },
      });
    }
    for (const { entry, content } of found) {
      const relative = entry.path.slice(folder.length);
      for (let slash = relative.indexOf('/'); slash > 0; slash = relative.indexOf('/', slash + 1)) {
        chosen.set(relative.slice(0, slash), { entry: newEntry(relative.slice(0, slash), 'folder'), content: null });
      }
      chosen.set(relative, { entry: { ...entry, path: relative }, content });
    }
  }
  return chosen;
}
