import { access } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import { lockFile } from '../../cache/index.ts';
import { nearest, scanSources, type Project } from '../../config/index.ts';
import { OsbuildError, type ImageRequest, type MachineSource, type OutputRef, type ProvidedRoot, type SourceFile } from '../../model/index.ts';
import { ownLayer, planYoctoRoot, resolveLayers, sharedStateWarnings, type YoctoPorts, type YoctoProject } from '../../providers/yocto/index.ts';
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

/** Lists what the layers of this machine's disk hold, which their tasks' keys are made of, and plans. */
export async function planYocto(invocation: Invocation, project: Project, request: ImageRequest, engine: OutputRef): Promise<ProvidedRoot> {
  const resolved = yoctoProject(project, request.machine);
  for (const warning of sharedStateWarnings(resolved.sstate ?? {}, { bucketCredentials: Object.keys(invocation.bucketCredentials).length > 0 })) invocation.emit({ type: 'notice', level: 'warning', ...warning });
  const sources = new Map<string, { root: string; files: SourceFile[] }>();
  const local = [resolved.bitbake, ...resolved.layers].flatMap(({ name, source }) => ('path' in source ? [{ name, root: source.path }] : []));
  for (const { name, root } of [...local, { name: ownLayer, root: join(invocation.home, 'layers', ownLayer) }]) {
    await access(root).catch(() => {
      throw new OsbuildError('OSB_CONFIG_INVALID', `yocto.layers.${name}: there is no folder ${root}`, { hint: 'a path is taken from the folder of the project' });
    });
    sources.set(name, { root, files: await scanSources(root, (path) => path === '.git' || path.endsWith('__pycache__')) });
  }
  return planYoctoRoot(request, resolved, { engine, sources });
}
