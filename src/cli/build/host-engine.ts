import type { Invocation } from '../command.ts';
import { engineSources, planEngine } from './compose.ts';
import { hostArch } from './host-arch.ts';
import { madeFile, type Session } from './session.ts';

/** The engine for this machine, built unless it has been. @throws OSB_HOST_UNFIT */
export async function hostEngine(invocation: Invocation, session: Session): Promise<string> {
  const arch = hostArch('deltas are made');
  const { tasks, binary } = await planEngine(arch, await engineSources(invocation.home), invocation, session.world, invocation.flags.on('locked'));
  const keyed = await session.key({ tasks, targets: [binary.task], epoch: session.project.build.epoch ?? 0 });
  return session.blobs.path(madeFile(await session.run(keyed, null), binary).sha256);
}
