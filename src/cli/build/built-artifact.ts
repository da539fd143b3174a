import { OsbuildError, type MachineSource } from '../../model/index.ts';
import type { Invocation } from '../command.ts';
import { artifact, composeImages } from './compose.ts';
import { madeFile, type Session } from './session.ts';

/** One of the files that are built with each machine's image, by the end of its name, checked against its digest; built first where it has to be. */
export async function builtArtifacts(invocation: Invocation, session: Session, machines: readonly MachineSource[], end: string): Promise<string[]> {
  const { plan, images } = await composeImages(invocation, session.project, machines, session.world);
  const keyed = await session.key(plan);
  const files: string[] = [];
  for (const built of images) {
    const { ref, fileName } = artifact(built, end);
    const made = madeFile(await session.run({ ...keyed, targets: [ref.task] }, built.machine.name), ref);
    if (!(await session.blobs.verify(made.sha256))) throw new OsbuildError('OSB_CACHE_CORRUPT', `the stored ${fileName} of ${built.machine.name} was damaged`, { hint: 'run it again: it is made anew' });
    files.push(session.blobs.path(made.sha256));
  }
  return files;
}
