import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { OsbuildError, type Executor, type StepContext } from '../../../model/index.ts';
import { nearestNames } from '../apt/package-names.ts';
import { addTar, deliverTree, deliverWithDigests, extractTree, readFolder, readText, type RootTree, type TreeNode } from '../tar/index.ts';
import { unpackPackages, type Unpacked } from '../unpack/unpack.ts';
import { unpackArtifact } from './artifact.ts';
import { lackingHardening } from './hardening.ts';
import { countInstalled, deviceTrees, kernelImage, kernelVersion, modulesFolder } from './layout.ts';
import { builtinModules, chooseModules, moduleDependencies, moduleName } from './modules.ts';

type Context = StepContext<'debian/kernel'>;

/** Executor of `debian/kernel`. */
export const kernel: Executor<'debian/kernel'> = async (context) => {
  const { artifact } = context.args;
  const { tree, manifest, owners } = artifact === undefined ? await unpackKernel(context) : { ...(await unpackArtifact(context, artifact)), owners: null };
  const version = kernelVersion(tree);
  const image = kernelImage(tree, version);
  noteHardening(context, readText(tree, `boot/config-${version}`) ?? readText(tree, `${modulesFolder}/${version}/config`));
  await extractTree(new Map([['vmlinuz', { ...image, entry: { ...image.entry, path: 'vmlinuz', mode: 0o644 } }]]), context.scratch, () => true);
  await rename(path.join(context.scratch, 'vmlinuz'), context.output('vmlinuz'));
  await deliverTree(context, 'device-trees.tar', deviceTrees(tree, version, context.args.deviceTrees));
  const modules = await placeModules(context, tree, version);
  await deliverWithDigests(context, 'modules.tar', modules);
  countInstalled(manifest, tree, image, modules, owners);
  await writeFile(context.output('packages.json'), `${JSON.stringify(manifest, null, 1)}\n`);
};

/** The packages of a kernel; of one that was built, what was built in place of its sources. */
async function unpackKernel(context: Context): Promise<Pick<Unpacked, 'tree' | 'manifest'> & { owners: Unpacked['owners'] | null }> {
  const { tree, manifest, owners } = await unpackPackages(context, context.args.packages, ['/usr/share/**', '/usr/src/**', '/boot/System.map-*']);
  if (context.task.inputs['built'] === undefined) return { tree, manifest, owners };
  addTar(tree, context.input('built'));
  return { tree, manifest, owners: null };
}

/** A kernel without some protection is for the machine's author to judge: it is said, and used. */
function noteHardening(context: Pick<Context, 'notice' | 'log'>, config: string | null): void {
  if (config === null) return;
  const lacking = lackingHardening(config);
  for (const { option, reason } of lacking) if (reason !== null) context.log(`CONFIG_${option}: ${reason}`);
  const unexplained = lacking.filter(({ reason }) => reason === null);
  if (unexplained.length === 0) return;
  context.notice('warning', 'KERNEL_UNPROTECTED', `The kernel was built without ${unexplained.map(({ option }) => `CONFIG_${option}`).join(', ')}.`, 'docs/security.md says what each is for. Choose another kernel package in the machine file, or live with it.');
}

/** The chosen modules with all that they depend on, decompressed, indexed by depmod. */
async function placeModules(context: Context, tree: RootTree, version: string): Promise<RootTree> {
  const base = `${modulesFolder}/${version}`;
  const files = [...tree.keys()].filter((key) => key.startsWith(`${base}/`) && /\.ko(\.\w+)?$/.test(key)).map((key) => key.slice(base.length + 1));
  const byName = new Map(files.map((file) => [moduleName(file), file]));
  const root = path.join(context.scratch, 'root');
  await mkdir(path.join(root, base), { recursive: true });
  const lists = (node: TreeNode): boolean => node.entry.path.startsWith(`${base}/modules.`);
  await extractTree(tree, root, lists);
  const builtin = builtinModules(await readFile(path.join(root, base, 'modules.builtin'), 'utf8').catch(() => ''));
  const chosen = chooseModules(files, context.args.modules);
  for (const { module, askedBy } of context.args.required) {
    const name = module.replaceAll('-', '_');
    const file = byName.get(name);
    if (file !== undefined) chosen.add(file);
    else if (!builtin.has(name)) throw moduleMissing(version, module, askedBy, [...byName.keys(), ...builtin]);
  }
  await addWithDependencies(context, tree, root, base, chosen, byName, builtin);
  await context.tool({ argv: ['depmod', '-b', '/tmp/root', '-m', `/${modulesFolder}`, version] }).catch(async (error: unknown) => {
    // Older depmod has the folder built in and no option for it.
    if (!(error instanceof OsbuildError) || !/option|usage/i.test(error.message)) throw error;
    return context.tool({ argv: ['depmod', '-b', '/tmp/root', version] });
  });
  const placed = await readFolder(root);
  const wanted = (key: string): boolean => modulesFolder.startsWith(key) || key.startsWith(`${modulesFolder}/`);
  return new Map([...placed].filter(([key]) => wanted(key)));
}

async function addWithDependencies(
  context: Context,
  tree: RootTree,
  root: string,
  base: string,
  chosen: Set<string>,
  byName: Map<string, string>,
  builtin: Set<string>,
): Promise<void> {
  let fresh = new Set(chosen);
  while (fresh.size > 0) {
    context.progress(chosen.size - fresh.size, chosen.size, 'items', 'kernel modules');
    const batch = fresh;
    await extractTree(tree, root, ({ entry }) => entry.path.startsWith(`${base}/`) && batch.has(entry.path.slice(base.length + 1)));
    if ([...batch].some((file) => file.endsWith('.xz'))) {
      await context.tool({ argv: ['sh', '-c', `find /tmp/root -name '*.ko.xz' -print0 | xargs -0 -r -P "$(nproc)" -n 32 xz --decompress --`] });
    }
    if ([...batch].some((file) => file.endsWith('.zst'))) {
      await context.tool({ argv: ['sh', '-c', `find /tmp/root -name '*.ko.zst' -print0 | xargs -0 -r -P "$(nproc)" -n 32 zstd --quiet --decompress --rm --`] });
    }
    for (const file of batch) if (file.endsWith('.gz')) await unpackGzip(path.join(root, base, file));
    fresh = new Set();
    for (const file of batch) {
      const plain = path.join(root, base, file.replace(/\.ko\.\w+$/, '.ko'));
      for (const name of moduleDependencies(await readFile(plain))) {
        const needed = byName.get(name);
        if (needed === undefined && !builtin.has(name)) {
          throw new OsbuildError('OSB_KERNEL_INCOMPLETE', `The module ${file} depends on ${name}, which the kernel has neither built in nor as a file.`, { hint: 'Leave it out with kernel.modules.exclude of the machine file, or choose another kernel.', details: { module: file, dependency: name } });
        }
        if (needed === undefined || chosen.has(needed)) continue;
        chosen.add(needed);
        fresh.add(needed);
      }
    }
  }
}

/** Debian packs no modules so, makers of kernels do. */
async function unpackGzip(file: string): Promise<void> {
  await writeFile(file.slice(0, -'.gz'.length), gunzipSync(await readFile(file)));
  await rm(file);
}

function moduleMissing(version: string, module: string, askedBy: string, names: string[]): OsbuildError {
  const near = nearestNames(module.replaceAll('-', '_'), names);
  return new OsbuildError('OSB_KERNEL_INCOMPLETE', `The kernel ${version} has no module ${module}, neither built in nor as a file (asked for by ${askedBy}).`, {
    hint: near.length === 0 ? 'Choose another kernel package in the machine file, or leave the recipe out.' : `Did you mean ${near.join(', ')}?`,
    details: { module, askedBy, nearest: near },
  });
}
