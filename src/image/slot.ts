import type { StepContext } from '../model/index.ts';
import { guidFrom } from './identity.ts';

/**
 * Makes the root's erofs straight from the tar: owners, modes, times and capabilities come from its headers. Clusters of
 * 64 KiB; two workers, since the program's output does not depend on their number but its speed does.
 */
export async function buildSlot(context: StepContext<'image/slot'>): Promise<void> {
  const { args, epoch } = context;
  const argv = ['mkfs.erofs', '--quiet', '--tar=f', `-z${args.compression}`, '-C65536', `-T${epoch}`, `-U${guidFrom('root')}`, '--workers=2', '-Lminke-root', '/out/root.erofs', '/in/rootfs'];
  await context.tool({ argv });
}
