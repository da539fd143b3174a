import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepContext } from '../model/index.ts';
import { layOutBootFolder } from './boot-folder.ts';
import { bootRoom } from './boot-room.ts';
import { makeFat } from './fat.ts';
import { factoryIdentity } from './identity.ts';
import { packSlotFiles } from './slot-files.ts';
import { checkFit, partition, planPartitions } from './partition-table.ts';

const slotFolder = 'A/';

/** Makes the boot partition: its files are laid out in a folder, checked for room, and put into a FAT file system; and its slot's files as an archive. */
export async function buildBoot(context: StepContext<'image/boot'>): Promise<void> {
  const { args, epoch } = context;
  const { machine, name } = args;
  const folder = join(context.scratch, 'boot');
  const sizes = await layOutBootFolder(context, { ...args, epoch }, folder);
  const layout = planPartitions(name, machine.disk);
  checkFit(layout, [{ name: 'boot', ...bootRoom(sizes) }], `machines/${name}.yaml`);
  const image = context.output('boot.vfat');
  const handle = await open(image, 'w');
  await handle.truncate(partition(layout, 'boot').sizeBytes);
  await handle.close();
  await makeFat(context, { image: '/out/boot.vfat', folder, files: [...sizes.keys()], label: 'MINKE-BOOT', volumeId: factoryIdentity(name).bootVolumeId });
  const paths = [...sizes.keys()].filter((path) => path.startsWith(slotFolder)).map((path) => path.slice(slotFolder.length));
  await packSlotFiles({ folder: join(folder, slotFolder), paths, epoch, archive: context.output('slot.tar') });
}
