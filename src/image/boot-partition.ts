import { mkdir, open, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { StepContext } from '../model/index.ts';
import { bootRoom } from './boot-room.ts';
import { addFactoryImage } from './factory-image.ts';
import { makeFat } from './fat.ts';
import { factoryIdentity } from './identity.ts';
import { checkFit, partition, planPartitions } from './partition-table.ts';
import { openTarRoot } from './tar-root.ts';

/** Makes the boot partition of a new image: its files, and the description of the release, are checked for room and put into a FAT file system. */
export async function buildBootPartition(context: StepContext<'image/boot-partition'>): Promise<void> {
  const { name, disk } = context.args;
  const folder = join(context.scratch, 'boot');
  const files = openTarRoot(context.input('boot'));
  const paths = [...files.entries.values()].filter(({ type }) => type === 'file').map(({ path }) => path);
  try {
    for (const path of paths) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), files.read(path));
    }
  } finally {
    files.close();
  }
  paths.push(...(await addFactoryImage(context, folder)));
  const sizes = new Map<string, number>();
  for (const path of paths) sizes.set(path, (await stat(join(folder, path))).size);
  const layout = planPartitions(name, disk);
  checkFit(layout, [{ name: 'boot', ...bootRoom(sizes) }], `machines/${name}.yaml`);
  const image = await open(context.output('boot.vfat'), 'w');
  await image.truncate(partition(layout, 'boot').sizeBytes);
  await image.close();
  await makeFat(context, { image: '/out/boot.vfat', folder, files: paths, label: 'MINKE-BOOT', volumeId: factoryIdentity(name).bootVolumeId });
}
