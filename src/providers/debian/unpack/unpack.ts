import { open, writeFile } from 'node:fs/promises';
import { OsbuildError, type Executor, type LockedPackage, type PackageManifest, type StepContext, type StepKind } from '../../../model/index.ts';
import { deliverWithDigests, type RootTree, type TreeNode } from '../tar/index.ts';
import { collectPackages, type Collected } from './collect.ts';
import type { PackageControl } from './deb.ts';
import { excludedBy } from './exclude.ts';
import { manifestPackage } from './manifest.ts';
import { mergePackages } from './merge.ts';

type Context = Pick<StepContext<StepKind>, 'hostStream' | 'inputs' | 'scratch' | 'progress' | 'signal' | 'epoch'>;

/** Packages merged into one tree, whose data stands in the scratch folder. */
export interface Unpacked {
  tree: RootTree;
  control: PackageControl[];
  manifest: PackageManifest;
  /** Path → name of the package that its file is of. */
  owners: Map<string, string>;
}

/** Executor of `debian/unpack`. */
export const unpack: Executor<'debian/unpack'> = async (context) => {
  const { tree, control, manifest } = await unpackPackages(context, context.args.packages, context.args.exclude);
  await deliverWithDigests(context, 'files.tar', tree);
  await writeFile(context.output('packages.json'), `${JSON.stringify(manifest, null, 1)}\n`);
  await writeFile(context.output('control.json'), `${JSON.stringify(control)}\n`);
};

/** Merges packages; a path that two of them claim is an error, unless the contents agree or one replaces the other. */
export async function unpackPackages(context: Context, packages: LockedPackage[], exclude: string[]): Promise<Unpacked> {
  const collected = await collectPackages(context, mergeOrder(packages), excludedBy(exclude));
  const { tree, conflicts, owners } = await mergePackages(
    collected.map(({ files }) => files),
    sameContent,
  );
  const [first] = conflicts;
  if (first !== undefined) {
    throw new OsbuildError('OSB_CONFIG_INVALID', `Packages ${first.packages.join(' and ')} both bring /${first.path}, with different content.`, {
      hint: 'Leave one of them out, or exclude the path in the recipe that names the package.',
      details: { conflicts: conflicts.slice(0, 20) },
    });
  }
  return { tree, control: collected.map(({ control }) => control), manifest: manifestOf(packages, collected), owners };
}

/** base-files first, since it knows modes and owners of the common folders; the others by name. */
function mergeOrder(packages: LockedPackage[]): LockedPackage[] {
  const rank = ({ name }: LockedPackage): number => (name === 'base-files' ? 0 : 1);
  return packages.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : a.name > b.name ? 1 : a.architecture < b.architecture ? -1 : 1));
}

function manifestOf(packages: LockedPackage[], collected: Collected[]): PackageManifest {
  const counts = new Map(collected.map(({ control, count }) => [control.name, count]));
  const controls = new Map(collected.map(({ control }) => [`${control.name}:${control.architecture}`, control]));
  return {
    packages: packages.flatMap((locked) => {
      const control = controls.get(`${locked.name}:${locked.architecture}`);
      return control === undefined ? [] : [manifestPackage(locked, control, counts)];
    }),
  };
}

async function sameContent(a: TreeNode, b: TreeNode): Promise<boolean> {
  return (await content(a)).equals(await content(b));
}

async function content({ entry, content: data }: TreeNode): Promise<Buffer> {
  if (data === null) return Buffer.alloc(0);
  if ('bytes' in data) return data.bytes;
  const handle = await open(data.file, 'r');
  try {
    const bytes = Buffer.alloc(entry.sizeBytes);
    await handle.read(bytes, 0, bytes.length, data.offset);
    return bytes;
  } finally {
    await handle.close();
  }
}
