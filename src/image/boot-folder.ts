import { copyFile, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { StepContext } from '../model/index.ts';
import { bootFiles, type BootFile, type BootOptions } from './boot-files.ts';
import { ubootEnvironment } from './uboot-environment.ts';
import { packUbootKernel } from './uboot-script.ts';
import { openTarRoot, type TarRoot } from './tar-root.ts';

type Context = Pick<StepContext<'image/boot' | 'image/flasher'>, 'input' | 'inputs' | 'tool' | 'epoch'>;

/**
 * Lays out the files of a boot partition in a folder, from the step's inputs `kernel`, `initrd`, `deviceTrees` and `bootLoader`.
 * @returns path → bytes
 */
export async function layOutBootFolder(context: Context, options: BootOptions, folder: string): Promise<Map<string, number>> {
  const trees = openTarRoot(context.input('deviceTrees'));
  const loader = openTarRoot(context.input('bootLoader'));
  try {
    const fileNames = (root: TarRoot): string[] => [...root.entries.values()].flatMap(({ path }) => (root.find(path)?.type === 'file' ? [path] : []));
    const sizes = new Map<string, number>();
    for (const file of bootFiles(options, { deviceTrees: fileNames(trees), bootLoader: fileNames(loader) })) {
      const path = join(folder, file.path);
      await mkdir(dirname(path), { recursive: true });
      await place(file, path, context, { deviceTrees: trees, bootLoader: loader });
      sizes.set(file.path, (await stat(path)).size);
    }
    return sizes;
  } finally {
    trees.close();
    loader.close();
  }
}

function enrolled(context: Context, name: string): string {
  const file = context.inputs('enroll').get(name);
  if (file === undefined) throw new Error(`input enroll lacks ${name}`);
  return file;
}

async function place(file: BootFile, path: string, context: Context, tars: { deviceTrees: TarRoot; bootLoader: TarRoot }): Promise<void> {
  if (Buffer.isBuffer(file.content)) await writeFile(path, file.content);
  else if (file.content.from === 'enroll') await copyFile(enrolled(context, file.content.name), path);
  else if ('member' in file.content) await writeFile(path, tars[file.content.from].read(file.content.member));
  else if ('wrapped' in file.content) await writeFile(path, packUbootKernel(tars.bootLoader.read(file.content.wrapped), file.content.address, context.epoch));
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
