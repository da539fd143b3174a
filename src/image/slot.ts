import type { StepContext } from '../model/index.ts';
import { guidFrom } from './identity.ts';

/** Makes the root's erofs straight from the tar: owners, modes, times and capabilities come from its headers. */
export async function buildSlot(context: StepContext<'image/slot'>): Promise<void> {
  await context.tool({ argv: [...slotArguments(context.args.compression, context.epoch), '/out/root.erofs', '/in/rootfs'] });
}

/**
 * The program that makes a root, up to the file that it writes. Without a tar it reads one from standard input: so a device makes the same bytes
 * of the same archive, as long as SOURCE_DATE_EPOCH is the same, which decides how it writes times. Clusters of 64 KiB; two workers, since the program's output does not depend on their number but its speed does.
 */
export function slotArguments(compression: string, epoch: number): string[] {
  return ['env', `SOURCE_DATE_EPOCH=${epoch}`, 'mkfs.erofs', '--quiet', '--tar=f', `-z${compression}`, '-C65536', `-T${epoch}`, `-U${guidFrom('root')}`, '--workers=2', '-Lminke-root'];
}
