import { access } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import { lockFile } from '../../cache/index.ts';
import { nearest, scanSources, type Project } from '../../config/index.ts';
import { planEngineBinary, type EngineSources } from '../../engine-binary/index.ts';
import { OsbuildError, type AnyTask, type ImageRequest, type MachineSource, type OutputRef, type ProvidedRoot, type SourceFile } from '../../model/index.ts';
import { ownLayer, planYoctoInspection, planYoctoRoot, resolveLayers, sharedStateWarnings, type YoctoPlanOptions, type YoctoPorts, type YoctoProject } from '../../providers/yocto/index.ts';
import type { Invocation } from '../command.ts';

export type Provider = 'debian' | 'yocto';

/** Who makes the root: the command's word, then the project's. */
export function chosenProvider({ flags }: Invocation, project: Project): Provider {
  const word = flags.text('provider') ?? project.build.provider ?? 'debian';
  if (word === 'debian' || word === 'yocto') return word;
  throw new OsbuildError('OSB_USAGE', `"${word}" is not a provider`, { hint: 'debian or yocto' });
}

/** What the Yocto provider has of the world. */
export function yoctoPorts({ layout, home, bucketCredentials }: Pick<Invocation, 'layout' | 'home' | 'bucketCredentials'>): YoctoPorts {
  return { cacheFolder: layout.root, home, bucketCredentials, uid: process.getuid?.() ?? 0, processors: availableParallelism(), lock: (path, signal) => lockFile(path, signal) };
}

export function yoctoProject(project: Project, machine: MachineSource): YoctoProject {
  return resolveLayers(project.build, machine, project.folder, (word, known) => nearest(word, known));
}

/** The tasks of a root that bitbake makes. */
export async function planYocto(invocation: Invocation, project: Project, request: ImageRequest, engine: EngineSources): Promise<ProvidedRoot> {
  const resolved = yoctoProject(project, request.machine);
  if (request.machine.machine.files !== undefined) throw new OsbuildError('OSB_CONFIG_INVALID', `${request.machine.file}: files: the yocto provider takes such files from recipes of its layers`, { hint: 'build with --provider debian, or let a recipe deploy them' });
  for (const warning of sharedStateWarnings(resolved.sstate ?? {}, { bucketCredentials: Object.keys(invocation.bucketCredentials).length > 0 })) invocation.emit({ type: 'notice', level: 'warning', ...warning });
  const { tasks, ...parts } = bundledEngine(engine);
  const root = planYoctoRoot(request, resolved, { engine: parts, sources: await layerSources(invocation, resolved) });
  return { ...root, tasks: [...tasks, ...root.tasks] };
}

/** The tasks that have bitbake plan a root. */
export async function planYoctoOnly(invocation: Invocation, project: Project, request: ImageRequest, engine: EngineSources): Promise<{ tasks: AnyTask[]; plan: OutputRef }> {
  const resolved = yoctoProject(project, request.machine);
  const { tasks, ...parts } = bundledEngine(engine);
  const inspection = planYoctoInspection(request, resolved, { engine: parts, sources: await layerSources(invocation, resolved) });
  return { ...inspection, tasks: [...tasks, ...inspection.tasks] };
}

/** bitbake compiles the engine itself: of our own steps for it only the bundle is wanted, which is the same for all architectures. */
function bundledEngine(sources: EngineSources): NonNullable<YoctoPlanOptions['engine']> & { tasks: AnyTask[] } {
  const { tasks, map } = planEngineBinary('amd64', sources, 'none');
  return { tasks: tasks.filter(({ id }) => id === map.task), bundle: { task: map.task, output: 'bundle.js' }, host: { root: `${sources.home}/src/host`, files: sources.host } };
}

/** Lists what the layers of this machine's disk hold, which their tasks' keys are made of. */
async function layerSources(invocation: Invocation, resolved: YoctoProject): Promise<YoctoPlanOptions['sources']> {
  const sources = new Map<string, { root: string; files: SourceFile[] }>();
  const local = [resolved.bitbake, ...resolved.layers].flatMap(({ name, source }) => ('path' in source ? [{ name, root: source.path }] : []));
  for (const { name, root } of [...local, { name: ownLayer, root: join(invocation.home, 'layers', ownLayer) }]) {
    await access(root).catch(() => {
      throw new OsbuildError('OSB_CONFIG_INVALID', `yocto.layers.${name}: there is no folder ${root}`, { hint: 'a path is taken from the folder of the project' });
    });
    sources.set(name, { root, files: await scanSources(root, (path) => path === '.git' || path.endsWith('__pycache__')) });
  }
  return sources;
}
