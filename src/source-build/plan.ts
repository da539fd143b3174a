import { basename, dirname } from 'node:path/posix';
import type { AnyTask, ImageRequest, Input, LockedPackage, LockedSource, Machine, MachineSource, OutputRef, SourceFile } from '../model/index.ts';

/** A file of settings with its digest, as the plan takes it. */
export interface FragmentFile {
  /** As messages name it: `recipes/kernel/fragments/minke.config`. */
  name: string;
  /** Absolute folder that it stands in. */
  root: string;
  file: SourceFile;
}

type KernelSource = NonNullable<Machine['kernel']['source']>;
type UbootSource = NonNullable<Extract<Machine['boot'], { method: 'u-boot' }>['source']>;

const recipeFragments = 'fragments/';

/** The fragments that the recipes of an image bring for its kernel, in the recipes' order and then by name. */
export function recipeFragmentFiles({ recipes }: Pick<ImageRequest, 'recipes'>): FragmentFile[] {
  return recipes.flatMap(({ name, folder, files }) =>
    files
      .filter(({ path }) => path.startsWith(recipeFragments) && path.endsWith('.config') && !path.includes('/', recipeFragments.length))
      .map((file) => ({ name: `recipes/${name}/${file.path}`, root: `${folder}/${dirname(file.path)}`, file: { ...file, path: basename(file.path) } })),
  );
}

/** The task that builds a kernel. `fetch` and `tools` are tasks that bring the package of the sources and make the tools tree. Pure. */
export function planKernel({ name }: MachineSource, source: KernelSource, locked: LockedPackage, fragments: readonly FragmentFile[], { fetch, tools }: { fetch: string; tools: string }): { task: AnyTask; tar: OutputRef } {
  const { archive, filename, sizeBytes, sha256 } = locked;
  const task: AnyTask = {
    id: `source/${name}/kernel`,
    kind: 'source/kernel',
    title: `Build kernel of ${name}`,
    args: { package: { archive, filename, sizeBytes, sha256 }, architecture: source.architecture, base: source.base ?? null, fragments: fragments.map((fragment) => fragment.name) },
    inputs: { debs: { from: 'task-files', task: fetch }, tools: { from: 'tree', task: tools }, ...fragmentInputs(fragments) },
    result: 'files',
  };
  return { task, tar: { task: task.id, output: 'kernel.tar' } };
}

/** The task that builds a U-Boot. Pure. */
export function planUboot({ name, machine }: MachineSource, source: UbootSource, locked: LockedSource, fragments: readonly FragmentFile[], { fetch, tools }: { fetch: string; tools: string }): { task: AnyTask; tar: OutputRef; copyright: OutputRef } {
  const task: AnyTask = {
    id: `source/${name}/u-boot`,
    kind: 'source/u-boot',
    title: `Build U-Boot of ${name}`,
    args: { name: locked.name, files: locked.files, architecture: source.architecture, base: source.base, fragments: fragments.map((fragment) => fragment.name), products: products(machine.boot) },
    inputs: { files: { from: 'task-files', task: fetch }, tools: { from: 'tree', task: tools }, ...fragmentInputs(fragments) },
    result: 'files',
  };
  return { task, tar: { task: task.id, output: 'boot-loader.tar' }, copyright: { task: task.id, output: 'copyright' } };
}

/** Every file of the build that the machine names. */
function products(boot: Machine['boot']): string[] {
  if (boot.method !== 'u-boot') return [];
  return [...new Set([boot.file, ...(boot.areas ?? []).flatMap(({ file }) => file ?? [])])].toSorted();
}

function fragmentInputs(fragments: readonly FragmentFile[]): Record<string, Input> {
  return Object.fromEntries(fragments.map(({ root, file }, index): [string, Input] => [`fragments:${index}`, { from: 'sources', root, files: [file] }]));
}
