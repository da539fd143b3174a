import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';

import type { Project } from '../../config/index.ts';
import type { Preload } from '../../image/index.ts';
import { OsbuildError, type AnyTask, type Arch, type ImageRequest, type OutputRef } from '../../model/index.ts';
import { planPreload, readApplications, resolveImages } from '../../preload/index.ts';
import type { Invocation } from '../command.ts';
import type { DebianWorld } from './debian.ts';
import { hostArch } from './host-arch.ts';
import { openForReading } from './open-repository.ts';
import { dataTools, planToolsTree } from './trees.ts';

/** What a machine's image has of applications from the start: by --preload, or preload in build.config.yaml; undefined for neither. */
export async function preloadFor(invocation: Invocation, project: Project, { machine, recipes }: ImageRequest, world: DebianWorld, locked: boolean, engineFor: (arch: Arch) => Promise<{ tasks: AnyTask[]; binary: OutputRef }>): Promise<{ tasks: AnyTask[]; preload: Preload } | undefined> {
  const settings = project.build.preload;
  const named = invocation.flags.text('preload');
  const compose = named === undefined ? settings && resolve(project.folder, settings.compose) : resolve(invocation.cwd, named);
  if (compose === undefined) return undefined;
  if (!recipes.some(({ name }) => name === 'applications')) throw new OsbuildError('OSB_CONFIG_INVALID', 'applications are preloaded, and nothing on the device would start them', { hint: 'put the recipe `applications` into build.config.yaml' });
  if (process.getuid?.() !== 0) throw new OsbuildError('OSB_HOST_UNFIT', 'images are unpacked with the owners that their files have: preloading them takes root', { hint: 'run the command as root, or build without --preload' });
  const applications = readApplications(compose);
  for (const message of applications.warnings) invocation.emit({ type: 'notice', level: 'warning', code: 'COMPOSE', message: `${applications.compose}: ${message}` });
  const archives = (settings?.archives ?? []).map((path) => resolve(project.folder, path));
  const insecure = settings?.insecure ?? false;
  const resolved = await resolveImages(applications, { arch: machine.machine.arch, machine: machine.name, archives, insecure, open: (name) => openForReading(invocation, name, insecure) });
  const engine = await engineFor(hostArch('applications are preloaded'));
  const tools = await planToolsTree(dataTools, invocation, world, { locked });
  const digests = new Map<string, string>();
  for (const image of resolved) if ('archive' in image && !digests.has(image.archive)) digests.set(image.archive, await sha256Of(image.archive));
  const { tasks, data, facts, images } = planPreload(machine.name, applications, resolved, { engine: engine.binary, tools: tools.tree, digests });
  return { tasks: [...engine.tasks, ...tools.tasks, ...tasks], preload: { data, facts, tools: tools.tree, images } };
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
