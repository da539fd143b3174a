import type { MachineSource } from '../../model/index.ts';
import type { Invocation } from '../command.ts';
import { openProject } from '../project.ts';
import { artifact, composeImages } from './compose.ts';
import { oneMachine } from './selection.ts';
import { madeFile, Session } from './session.ts';

/** One of the files that are built with the image of --machine, by the end of its name; built first where it has to be. */
export async function builtArtifact(invocation: Invocation, end: string): Promise<{ path: string; machine: MachineSource }> {
  const project = await openProject(invocation);
  const session = new Session(invocation, project);
  const { plan, images: [built] } = await composeImages(invocation, project, [oneMachine(invocation, project)], session.world);
  if (!built) throw new Error('no image was composed');
  const { ref } = artifact(built, end);
  const keyed = await session.key(plan);
  const results = await session.run({ ...keyed, targets: [ref.task] }, built.machine.name);
  return { path: session.blobs.path(madeFile(results, ref).sha256), machine: built.machine };
}
