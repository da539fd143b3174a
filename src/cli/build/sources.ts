import { join } from 'node:path';
import { basename, dirname } from 'node:path/posix';

import { scanSources } from '../../config/index.ts';
import { OsbuildError, type AnyTask, type DebianLock, type ImageRequest, type MachineSource } from '../../model/index.ts';
import { fetchTask, packagesOfSet, sourceFiles, type BuiltParts } from '../../providers/debian/index.ts';
import { planKernel, planUboot, recipeFragmentFiles, type FragmentFile } from '../../source-build/index.ts';
import type { Invocation } from '../command.ts';
import type { DebianWorld } from './debian.ts';
import { planToolsTree, sourceTools } from './trees.ts';

/** The tasks that make what a machine wants from source, with the tools that they need. */
export async function planSources(request: ImageRequest, lock: DebianLock, invocation: Invocation, world: DebianWorld, locked: boolean): Promise<{ tasks: AnyTask[]; built: BuiltParts }> {
  const { machine } = request;
  const { kernel, boot } = machine.machine;
  const tasks: AnyTask[] = [];
  const built: BuiltParts = { kernel: null, bootLoader: null };
  const id = (part: string): string => `source/${machine.name}/fetch-${part}`;
  if (kernel.source !== undefined) {
    const tools = await planToolsTree(sourceTools(kernel.source.architecture), invocation, world, { locked });
    const [source] = packagesOfSet(lock, 'kernel');
    if (source === undefined) throw new Error(`the lock of ${machine.name} has no sources of the kernel`);
    const { sets: _sets, ...plain } = source;
    const fragments = [...recipeFragmentFiles(request), ...(await machineFragments(machine, 'kernel.source', kernel.source.fragments))];
    const { task, tar } = planKernel(machine, kernel.source, plain, fragments, { fetch: id('kernel'), tools: tools.tree });
    tasks.push(...tools.tasks, fetchTask(id('kernel'), `kernel sources of ${machine.name}`, [plain]), task);
    built.kernel = tar;
  }
  if (boot.method === 'u-boot' && boot.source !== undefined) {
    const { package: name, architecture } = boot.source;
    const tools = await planToolsTree(sourceTools(architecture), invocation, world, { locked });
    const source = lock.sources?.find((one) => one.name === name);
    if (source === undefined) throw new Error(`the lock of ${machine.name} has no sources of ${name}`);
    const fragments = await machineFragments(machine, 'boot.source', boot.source.fragments ?? []);
    const { task, tar, copyright } = planUboot(machine, boot.source, source, fragments, { fetch: id('u-boot'), tools: tools.tree });
    tasks.push(...tools.tasks, fetchTask(id('u-boot'), `sources of ${name}`, sourceFiles(source)), task);
    built.bootLoader = { tar, copyright, source, architecture };
  }
  return { tasks, built };
}

/** Files of settings beside the machine file. @throws OSB_CONFIG_INVALID for one that is not there */
async function machineFragments({ file }: MachineSource, key: string, names: readonly string[]): Promise<FragmentFile[]> {
  const folder = dirname(file);
  const found: FragmentFile[] = [];
  for (const name of names) {
    const root = join(folder, dirname(name));
    const beside = (await scanSources(root, (path) => path.includes('/'))).filter(({ path }) => path.endsWith('.config'));
    const one = beside.find(({ path }) => path === basename(name));
    if (one === undefined) {
      throw new OsbuildError('OSB_CONFIG_INVALID', `${file}: ${key}.fragments: there is no file ${join(folder, name)}`, { hint: beside.length > 0 ? `There are: ${beside.map(({ path }) => join(dirname(name), path)).join(', ')}.` : 'A path is taken from the folder of the machine file.' });
    }
    found.push({ name: `machines/${name}`, root, file: one });
  }
  return found;
}
