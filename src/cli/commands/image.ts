import { join } from 'node:path';

import { OsbuildError } from '../../model/index.ts';
import { composeImages, type ComposedImage } from '../build/compose.ts';
import { publish } from '../build/publish.ts';
import { buildOnHost } from '../build/remote.ts';
import { madeFile, Session, type KeyedPlan } from '../build/session.ts';
import { flasherFleet, flasherOption, fleet, machinesOption } from '../build/selection.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';
import type { Project } from '../../config/index.ts';

export const lockOptions = {
  locked: { type: 'boolean', help: 'fail where a locked package is gone or the lock does not fit, rather than resolve anew' },
  provider: { type: 'string', value: 'provider', help: 'debian or yocto, instead of what build.config.yaml says' },
  mode: { type: 'string', value: 'mode', help: 'development or production, instead of what build.config.yaml says' },
} as const;

export const image: Command = {
  name: 'image',
  usage: '--machine <machine>',
  summary: 'Build the flashable image of a machine',
  options: {
    ...machinesOption,
    ...lockOptions,
    ...flasherOption,
    output: { type: 'string', short: 'o', value: 'folder', help: 'where artifacts go (default: out/<machine> in the project); of several machines, each in a folder of its own there' },
    preload: { type: 'string', value: 'compose file', help: 'put the applications of a compose file and their images into the image, which starts them without a network; instead of preload in build.config.yaml' },
    on: { type: 'string', value: 'host', help: 'build on another host over SSH: one of remoteBuilders, or [user@]host[:port]' },
    'dry-run': { type: 'boolean', short: 'n', help: 'only say which tasks would run' },
  },
  arguments: { min: 0, max: 0 },
  async run(invocation) {
    const project = await openProject(invocation);
    const names = flasherFleet(invocation, fleet(invocation, project));
    const session = new Session(invocation, project);
    const on = invocation.flags.text('on');
    if (on !== undefined) {
      if (invocation.flags.on('dry-run')) throw new OsbuildError('OSB_USAGE', '--dry-run and --on exclude each other');
      return session.attended(() => buildOnHost(invocation, session, names, on, (machine) => outFolder(invocation, project, machine)));
    }
    return session.attended(async () => {
      const composed = await composeImages(invocation, project, names, session.world, { flasher: invocation.flags.on('flasher') });
      const keyed = await session.key(composed.plan);
      if (invocation.flags.on('dry-run')) return dryRun(invocation, session, keyed);
      return eachMachine(invocation, composed.images, (one) => buildImage(invocation, session, keyed, one));
    });
  },
};

/** One machine's failure does not keep the others from their images; it is the command's all the same. */
async function eachMachine(invocation: Invocation, images: readonly ComposedImage[], build: (one: ComposedImage) => Promise<unknown>): Promise<number> {
  const failed: string[] = [];
  for (const one of images) {
    try {
      await build(one);
    } catch (error) {
      const oneOfMany = images.length > 1 && error instanceof OsbuildError && !['OSB_CANCELLED', 'OSB_DISK_FULL'].includes(error.code);
      if (!oneOfMany) throw error;
      invocation.emit({ type: 'notice', level: 'warning', code: error.code, message: `${one.machine.name}: ${error.message}`, ...(error.hint === undefined ? {} : { hint: error.hint }) });
      failed.push(one.machine.name);
    }
  }
  if (failed.length > 0) throw new OsbuildError('OSB_TASK_FAILED', `${failed.length} of ${images.length} images could not be built: ${failed.join(', ')}`);
  return 0;
}

/** Builds one image and puts its artifacts into the out folder, again should the store turn out to be damaged. */
export async function buildImage(invocation: Invocation, session: Session, keyed: KeyedPlan, built: ComposedImage): Promise<string> {
  const folder = outFolder(invocation, session.project, built.machine.name);
  for (let attempt = 0; attempt < 3; attempt++) {
    const results = await session.run({ ...keyed, targets: built.targets }, built.machine.name);
    const artifacts = built.artifacts.map(({ ref, fileName }) => ({ fileName, blob: madeFile(results, ref) }));
    if (await publish(folder, built.machine.name, artifacts, session.blobs, invocation.emit)) return folder;
    invocation.emit({ type: 'notice', level: 'warning', code: 'CACHE_DAMAGED', message: 'a stored artifact was damaged; it is made again' });
  }
  throw new OsbuildError('OSB_CACHE_CORRUPT', `artifacts of ${built.machine.name} are damaged as soon as they are stored`, {
    hint: `check the disk that holds ${invocation.layout.root}`,
  });
}

export function outFolder(invocation: Invocation, project: Project, machine: string): string {
  const named = invocation.flags.text('output');
  if (named === undefined) return join(project.folder, 'out', machine);
  return fleet(invocation, project).length === 1 ? named : join(named, machine);
}

async function dryRun(invocation: Invocation, session: Session, keyed: KeyedPlan): Promise<number> {
  const missing = new Set(await session.missing(keyed));
  for (const [id, task] of keyed.graph.tasks) {
    const runs = missing.has(id);
    if (invocation.flags.on('json')) invocation.out(`${JSON.stringify({ type: 'dry-run', id, title: task.title, key: keyed.keys.get(id)?.key, runs })}\n`);
    else if (runs) invocation.out(`would run  ${id}  ${task.title}\n`);
  }
  if (!invocation.flags.on('json')) invocation.out(`${missing.size} of ${keyed.graph.tasks.size} tasks would run\n`);
  return 0;
}

