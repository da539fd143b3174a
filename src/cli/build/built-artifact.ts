import { OsbuildError, type MachineSource } from '../../model/index.ts';
import type { Invocation } from '../command.ts';
import { composeImages } from './compose.ts';
import { madeFile, type Session } from './session.ts';

/** One of the files that are built with a machine's image. */
export interface BuiltFile {
  fileName: string;
  /** In the store. */
  path: string;
}

/** Of each machine's files those whose names end so, in the order of the ends, checked against their digests; built first where they have to be. Not every image has each. */
export async function builtFiles(invocation: Invocation, session: Session, machines: readonly MachineSource[], ends: readonly string[]): Promise<BuiltFile[][]> {
  const { plan, images } = await composeImages(invocation, session.project, machines, session.world);
  const keyed = await session.key(plan);
  const files: BuiltFile[][] = [];
  for (const { machine, artifacts } of images) {
    const wanted = ends.flatMap((end) => artifacts.filter(({ fileName }) => fileName.endsWith(end)));
    const ran = await session.run({ ...keyed, targets: [...new Set(wanted.map(({ ref }) => ref.task))] }, machine.name);
    files.push(await Promise.all(wanted.map(async ({ ref, fileName }) => {
      const made = madeFile(ran, ref);
      if (!(await session.blobs.verify(made.sha256))) throw new OsbuildError('OSB_CACHE_CORRUPT', `the stored ${fileName} of ${machine.name} was damaged`, { hint: 'run it again: it is made anew' });
      return { fileName, path: session.blobs.path(made.sha256) };
    })));
  }
  return files;
}

/** A file that every image has. */
export async function builtFile(invocation: Invocation, session: Session, machine: MachineSource, end: string): Promise<string> {
  const found = (await builtFiles(invocation, session, [machine], [end]))[0]?.[0];
  if (found === undefined) throw new Error(`the image has no ${end} among its artifacts`);
  return found.path;
}
