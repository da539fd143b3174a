import { join } from 'node:path';

import { OsbuildError } from '../../model/index.ts';
import { composeImages, type ComposedImage } from '../build/compose.ts';
import { publish } from '../build/publish.ts';
import { Session, type KeyedPlan } from '../build/session.ts';
import { machineNames, machineOption } from '../build/selection.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';
import type { Project } from '../../config/index.ts';

export const lockOptions = {
  locked: { type: 'boolean', help: 'fail where a locked package is gone or the lock does not fit, rather than resolve anew' },
  mode: { type: 'string', value: 'mode', help: 'development or production, instead of what build.config.yaml says' },
} as const;

export const image: Command = {
  name: 'image',
  usage: '--machine <machine>',
  summary: 'Build the flashable image of a machine',
  options: {
    ...machineOption,
    ...lockOptions,
    output: { type: 'string', short: 'o', value: 'folder', help: 'where artifacts go (default: out/<machine> in the project)' },
    'dry-run': { type: 'boolean', short: 'n', help: 'only say which tasks would run' },
  },
  arguments: { min: 0, max: 0 },
  async run(invocation) {
    const project = await openProject(invocation);
    const names = machineNames(invocation, project);
    const session = new Session(invocation, project);
    return session.attended(async () => {
      const composed = await composeImages(invocation, project, names, session.world);
      const keyed = await session.key(composed.plan);
      if (invocation.flags.on('dry-run')) return dryRun(invocation, session, keyed);
      for (const one of composed.images) await buildImage(invocation, session, keyed, one);
      return 0;
    });
  },
};

/** Builds one image and puts its artifacts into the out folder, again should the store turn out to be damaged. */
export async function buildImage(invocation: Invocation, session: Session, keyed: KeyedPlan, built: ComposedImage): Promise<string> {
  const folder = outFolder(invocation, session.project, built.machine.name);
  for (let attempt = 0; attempt < 3; attempt++) {
    const results = await session.run({ ...keyed, targets: built.targets }, built.machine.name);
    const artifacts = built.artifacts.map(({ ref, fileName }) => {
      const blob = results.get(ref.task)?.files[ref.output];
      if (!blob) throw new Error(`${ref.task} made no ${ref.output}`);
      return { fileName, blob };
    });
    if (await publish(folder, built.machine.name, artifacts, session.blobs, invocation.emit)) return folder;
    invocation.emit({ type: 'notice', level: 'warning', code: 'CACHE_DAMAGED', message: 'a stored artifact was damaged; it is made again' });
  }
  throw new OsbuildError('OSB_CACHE_CORRUPT', `artifacts of ${built.machine.name} are damaged as soon as they are stored`, {
    hint: `check the disk that holds ${invocation.layout.root}`,
  });
}

export function outFolder(invocation: Invocation, project: Project, machine: string): string {
  return invocation.flags.text('output') ?? join(project.folder, 'out', machine);
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

