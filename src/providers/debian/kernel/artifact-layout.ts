import { basename, dirname } from 'node:path/posix';
import { OsbuildError, type KernelArtifact } from '../../../model/index.ts';
import { nearestNames } from '../apt/package-names.ts';
import { newEntry, readBytes, realPath, type RootTree, type TreeNode } from '../tar/index.ts';
import { mergedFolders, usrMerged } from '../unpack/merge.ts';
import { kernelLimitBytes, kernelProgram } from './kernel-program.ts';
import { modulesFolder } from './layout.ts';

const isModule = (path: string): boolean => /\.ko(\.(gz|xz|zst))?$/.test(path);
/** What kbuild and depmod write beside modules. */
const isList = (path: string): boolean => /^modules\.[a-z.]+$/.test(path);
const isDeviceTree = (path: string): boolean => /\.dtbo?$/.test(path);
/** It becomes a folder's name and an argument of depmod. */
const releaseForm = /^[A-Za-z0-9][A-Za-z0-9._+~-]*$/;
/** So many paths are named in a hint. */
const namedPaths = 5;

/**
 * Of a maker's archive the kernel, its modules and its device trees, laid out as Debian's kernel packages have them. Nothing but plain
 * files comes along: links are followed inside the archive, and what leads out of it, devices and the like are left.
 * @param archive as it is, wherever it keeps lib/
 * @param wanted whether the machine asks for device trees
 * @throws OSB_KERNEL_INCOMPLETE for what is not there, is there twice, or is for another machine
 */
export function takeKernel(archive: RootTree, artifact: KernelArtifact, wanted: { deviceTrees: boolean }): { tree: RootTree; release: string } {
  const tree = mergedTree(archive);
  const taken: RootTree = new Map();
  const refuse = refusal(artifact);
  const take = (node: TreeNode, place: string): void => void taken.set(place, { entry: newEntry(place, 'file', { sizeBytes: node.entry.sizeBytes }), content: node.content });
  const { release, folder } = findRelease(tree, artifact);
  for (const [path, node] of filesBelow(tree, folder)) if (isModule(path) || isList(path)) take(node, `${modulesFolder}/${release}/${path}`);
  if (![...taken.keys()].some(isModule)) throw refuse(`has no modules in ${folder}`, 'A kernel without any cannot carry an image: ask its maker, or build one from source (kernel.source).');
  const trees = findDeviceTrees(tree, artifact, release, wanted.deviceTrees);
  for (const [path, node] of trees) take(node, `usr/lib/linux-image-${release}/${path}`);
  const config = [`boot/config-${release}`, `${folder}/config`].map((path) => fileAt(tree, path)).find((node) => node !== null);
  if (config) take(config, `boot/config-${release}`);
  const image = findImage(tree, artifact, release, folder);
  if (image.entry.sizeBytes > kernelLimitBytes) throw refuse(`has ${image.entry.path} of ${image.entry.sizeBytes} bytes, which is no kernel`, 'kernel.artifact.image names the kernel inside the archive.');
  const bytes = kernelProgram(readBytes(tree, image.entry.path) ?? Buffer.alloc(0), image.entry.path, artifact);
  taken.set(`boot/vmlinuz-${release}`, { entry: newEntry(`boot/vmlinuz-${release}`, 'file', { sizeBytes: bytes.length }), content: { bytes } });
  for (const place of taken.keys()) {
    for (let above = dirname(place); above !== '.'; above = dirname(above)) if (taken.has(above)) throw refuse(`has ${above} as a file and as a folder`, 'The archive is damaged: ask its maker.');
  }
  return { tree: taken, release };
}

/** The archive with /usr merged, as packages are: links to /lib and paths of either kind lead to the same place. */
function mergedTree(archive: RootTree): RootTree {
  const tree: RootTree = new Map();
  for (const [key, { entry, content }] of archive) {
    const path = usrMerged(key);
    tree.set(path, { entry: { ...entry, path, target: entry.type === 'hardlink' ? usrMerged(entry.target) : entry.target }, content });
  }
  for (const folder of mergedFolders) if (tree.get(folder)?.entry.type !== 'link') tree.set(folder, { entry: newEntry(folder, 'link', { target: `usr/${folder}` }), content: null });
  return tree;
}

function refusal({ name }: Pick<KernelArtifact, 'name'>): (what: string, hint: string, details?: Record<string, unknown>) => OsbuildError {
  return (what, hint, details = {}) => new OsbuildError('OSB_KERNEL_INCOMPLETE', `The archive of ${name} ${what}.`, { hint, details });
}

/** The kernel's release and the folder of its modules. */
function findRelease(tree: RootTree, artifact: KernelArtifact): { release: string; folder: string } {
  const refuse = refusal(artifact);
  const parent = placeOf(tree, artifact.modules ?? modulesFolder);
  const releases = releasesBelow(tree, parent);
  const said = artifact.modules ?? 'lib/modules';
  if (releases.length === 0) {
    const elsewhere = [...new Set([...tree.keys()].flatMap((key) => /^(.+)\/[^/]+\/modules\.(?:builtin|dep|order)$/.exec(key)?.[1] ?? []))].slice(0, namedPaths);
    const hint = elsewhere.length > 0 ? `There are modules below ${elsewhere.join(', ')}: kernel.artifact.modules names the folder.` : 'kernel.artifact.modules names the folder that has one folder for each release.';
    throw refuse(`has no modules: no folder of a release in ${said}`, hint, { folder: said });
  }
  if (artifact.release !== null && !releases.includes(artifact.release)) {
    const near = nearestNames(artifact.release, releases);
    throw refuse(`has no modules of ${artifact.release} in ${said}`, near.length > 0 ? `Did you mean ${near.join(', ')}?` : `There are those of ${releases.join(', ')}.`, { releases });
  }
  const [only = ''] = releases;
  if (artifact.release === null && releases.length > 1) throw refuse(`has modules of several kernels: ${releases.join(', ')}`, 'kernel.artifact.release of the machine file says which one it is.', { releases });
  const release = artifact.release ?? only;
  if (!releaseForm.test(release)) throw refuse(`has a release of a strange name: ${JSON.stringify(release)}`, 'Letters, digits and . _ + ~ - are what it may have.');
  return { release, folder: `${parent}/${release}` };
}

/** Folders that hold what kbuild installs: lists of modules, or modules below kernel/. */
function releasesBelow(tree: RootTree, parent: string): string[] {
  const releases = new Set<string>();
  for (const key of tree.keys()) {
    if (!key.startsWith(`${parent}/`)) continue;
    const [release = '', ...rest] = key.slice(parent.length + 1).split('/');
    if ((rest.length === 1 && /^modules\.(builtin|dep|order)$/.test(rest[0] ?? '')) || (rest[0] === 'kernel' && isModule(key))) releases.add(release);
  }
  return [...releases].toSorted();
}

function findImage(tree: RootTree, artifact: KernelArtifact, release: string, folder: string): TreeNode {
  const { image } = artifact;
  const usual = [...['vmlinuz', 'Image', 'zImage', 'bzImage'].map((name) => `boot/${name}-${release}`), `${folder}/vmlinuz`, ...['vmlinuz', 'Image', 'Image.gz', 'zImage', 'bzImage'].map((name) => `boot/${name}`)];
  const node = (image === null ? usual : [image]).map((path) => fileAt(tree, path)).find((one) => one !== null);
  if (node) return node;
  const like = [...tree.values()].flatMap(({ entry }) => (entry.type === 'file' && /^(vmlinu[xz]|u?Image|[zb]+Image|kernel\d*(\.img|_|-|$))/.test(basename(entry.path)) && !isModule(entry.path) ? [entry.path] : []));
  const near = image === null ? [] : nearestNames(image, like);
  const found = near.length > 0 ? near : like.slice(0, namedPaths);
  const hint = found.length > 0 ? `Is it ${found.join(', ')}? kernel.artifact.image names it.` : 'kernel.artifact.image names the kernel inside the archive.';
  throw refusal(artifact)(image === null ? `has no kernel in a usual place (${usual.slice(0, 3).join(', ')} …)` : `has no file ${image}`, hint, { image, found });
}

/** Path below the folder of device trees → file; empty where there are none, and the machine asks for none. */
function findDeviceTrees(tree: RootTree, artifact: KernelArtifact, release: string, wanted: boolean): [string, TreeNode][] {
  const { deviceTrees } = artifact;
  const usual = [`usr/lib/linux-image-${release}`, `boot/dtbs/${release}`, `${modulesFolder}/${release}/dtb`, `${modulesFolder}/${release}/dtbs`, 'boot/dtbs', 'boot/dtb'];
  for (const folder of deviceTrees === null ? usual : [deviceTrees]) {
    const found = [...filesBelow(tree, placeOf(tree, folder))].filter(([path]) => isDeviceTree(path));
    if (found.length > 0) return found;
  }
  if (deviceTrees === null && !wanted) return [];
  const elsewhere = [...new Set([...tree.keys()].filter(isDeviceTree).map((key) => dirname(key)))].toSorted((a, b) => a.length - b.length).slice(0, namedPaths);
  const hint = elsewhere.length > 0 ? `There are some in ${elsewhere.join(', ')}: kernel.artifact.deviceTrees names the folder that they are below.` : 'Without kernel.deviceTrees the board brings its own.';
  throw refusal(artifact)(deviceTrees === null ? 'has no device trees in a usual place' : `has no device trees in ${deviceTrees}`, hint, { deviceTrees });
}

/** Paths below a folder with the files that stand there or that links inside the archive lead to. */
function* filesBelow(tree: RootTree, folder: string): Generator<[string, TreeNode]> {
  for (const key of tree.keys()) {
    if (!key.startsWith(`${folder}/`)) continue;
    const node = fileAt(tree, key);
    if (node !== null) yield [key.slice(folder.length + 1), node];
  }
}

/** Where links inside the archive lead; '' where they lead in a circle. */
function placeOf(tree: RootTree, path: string): string {
  try {
    return realPath(tree, path);
  } catch {
    return '';
  }
}

/** The file at a path, whatever links lead to it; null where there is none. */
function fileAt(tree: RootTree, path: string): TreeNode | null {
  let node = tree.get(placeOf(tree, path));
  if (node?.entry.type === 'hardlink') node = tree.get(node.entry.target);
  return node?.entry.type === 'file' ? node : null;
}
