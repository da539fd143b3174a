import { copyFile, mkdir, open, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { StepContext } from '../model/index.ts';
import { bootFiles, type BootFile } from './boot-files.ts';
import { bootRoom } from './boot-room.ts';
import { makeFat } from './fat.ts';
import { factoryIdentity } from './identity.ts';
import { checkFit, partition, planPartitions } from './partition-table.ts';
import { ubootEnvironment } from './uboot-environment.ts';
import { openTarRoot, type TarRoot } from './tar-root.ts';

/** Makes the boot partition: its files are laid out in a folder, checked for room, and put into a FAT file system. */
export async function buildBoot(context: StepContext<'image/boot'>): Promise<void> {
  const { args, epoch } = context;
  const { machine, name } = args;
  const trees = openTarRoot(context.input('deviceTrees'));
  const loader = openTarRoot(context.input('bootLoader'));
  try {
    const fileNames = (root: TarRoot): string[] => [...root.entries.values()].flatMap(({ path }) => (root.find(path)?.type === 'file' ? [path] : []));
    const files = bootFiles({ ...args, epoch }, { deviceTrees: fileNames(trees), bootLoader: fileNames(loader) });
    const folder = join(context.scratch, 'boot');
    const sizes = new Map<string, number>();
    for (const file of files) {
      const path = join(folder, file.path);
      await mkdir(dirname(path), { recursive: true });
      await place(file, path, context, { deviceTrees: trees, bootLoader: loader });
      sizes.set(file.path, (await stat(path)).size);
    }
    const layout = planPartitions(name, machine.disk);
    checkFit(layout, [{ name: 'boot', ...bootRoom(sizes) }], `machines/${name}.yaml`);
    const image = context.output('boot.vfat');
    const handle = await open(image, 'w');
    await handle.truncate(partition(layout, 'boot').sizeBytes);
    await handle.close();
    await makeFat(context, { image: '/out/boot.vfat', folder, files: [...sizes.keys()], label: 'MINKE-BOOT', volumeId: factoryIdentity(name).bootVolumeId });
  } finally {
    trees.close();
    loader.close();
  }
}

async function place(file: BootFile, path: string, context: StepContext<'image/boot'>, tars: { deviceTrees: TarRoot; bootLoader: TarRoot }): Promise<void> {
  if (Buffer.isBuffer(file.content)) await writeFile(path, file.content);
  else if ('member' in file.content) await writeFile(path, tars[file.content.from].read(file.content.member));
  else if ('environmentOf' in file.content) {
    const { environmentOf, sizeBytes } = file.content;
    // -2: start at once, whatever comes over the serial line.
    await writeFile(path, ubootEnvironment(tars.bootLoader.read(environmentOf), { bootdelay: '-2' }, sizeBytes, environmentOf));
  } else {
    const input = context.input(file.content.from);
    if (file.content.compression === undefined) await copyFile(input, path);
    else await context.tool({ argv: ['gzip', '-n', '-6'], stdin: input, stdout: path });
  }
}
