import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { StepContext } from '../model/index.ts';
import { slotVerityFile } from './boot-files.ts';
import { layOutBootFolder } from './boot-folder.ts';
import { sharedFiles, sharedFilesFolder, sharedListPath, writeSharedList } from './shared-files.ts';
import { packFiles, slotFilesFolder } from './slot-files.ts';
import { readVerity } from './verity.ts';

const slotFolder = 'A/';

/** Lays out the files of the boot partition: all of them as one archive, and those that an update carries as another, the slot's and the shared ones. */
export async function buildBoot(context: StepContext<'image/boot'>): Promise<void> {
  const { args, epoch } = context;
  const folder = join(context.scratch, 'boot');
  const sizes = await layOutBootFolder(context, { ...args, epoch, verity: await readVerity(context.input('verity')) }, folder);
  const shared = sharedFiles(args.machine.boot);
  await mkdir(dirname(join(folder, sharedListPath)), { recursive: true });
  await writeSharedList(folder, shared);
  sizes.set(sharedListPath, (await stat(join(folder, sharedListPath))).size);
  const file = (path: string): string => join(folder, path);
  await packFiles({ files: [...sizes.keys()].map((path) => ({ path, file: file(path) })), epoch, archive: context.output('boot.tar') });
  const slot = [...sizes.keys()].filter((path) => path.startsWith(slotFolder) && path !== slotVerityFile).map((path) => ({ path: `${slotFilesFolder}${path.slice(slotFolder.length)}`, file: file(path) }));
  await packFiles({ files: [...slot, ...shared.map((path) => ({ path: `${sharedFilesFolder}${path}`, file: file(path) }))], epoch, archive: context.output('slot.tar') });
}
