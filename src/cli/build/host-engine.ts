import { archs, OsbuildError, type Arch } from '../../model/index.ts';
import type { Invocation } from '../command.ts';
import { engineSources, planEngine } from './compose.ts';
import { madeFile, type Session } from './session.ts';

/** Which engine runs here. */
const hostArchs: Partial<Record<NodeJS.Architecture, Arch>> = { x64: 'amd64', arm64: 'aarch64', ia32: 'i386', arm: 'armv7hf' };

/** The engine for this machine, built unless it has been. @throws OSB_HOST_UNFIT */
export async function hostEngine(invocation: Invocation, session: Session): Promise<string> {
  const arch = hostArchs[process.arch];
  if (arch === undefined || !archs.includes(arch)) throw new OsbuildError('OSB_HOST_UNFIT', `the engine is not built for this machine (${process.arch})`, { hint: `deltas are made on: ${Object.keys(hostArchs).join(', ')}` });
  const { tasks, binary } = await planEngine(arch, await engineSources(invocation.home), invocation, session.world, invocation.flags.on('locked'));
  const keyed = await session.key({ tasks, targets: [binary.task], epoch: session.project.build.epoch ?? 0 });
  return session.blobs.path(madeFile(await session.run(keyed, null), binary).sha256);
}
