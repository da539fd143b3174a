import { copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepContext } from '../model/index.ts';
import { writeLayerRecord } from './layer-record.ts';

/** Folder of a slot's folder with what a device wants besides the slot to have the image of its release. The device's reader: src/engine/os/factory-base.ts. */
export const factoryFolder = 'A/image/';

/** image.json: the layers' archives, in the order of the image. */
export interface FactoryImage {
  format: 1;
  layers: Array<{ diffId: string; sizeBytes: number; record: string }>;
}

/**
 * Puts into the boot partition's folder what makes an image of the release out of the running slot, so that the first update can be a delta: the image's
 * configuration, and of each layer's archive what is no file's content.
 * @returns paths in the folder
 */
export async function addFactoryImage(context: Pick<StepContext<'image/boot-partition'>, 'input' | 'digest' | 'tool' | 'scratch'>, folder: string): Promise<string[]> {
  await mkdir(join(folder, factoryFolder), { recursive: true });
  const layers: FactoryImage['layers'] = [];
  for (const [name, input] of [['root', 'root'], ['boot', 'slotFiles']] as const) {
    const sizeBytes = await writeLayerRecord(context.input(input), join(context.scratch, `${name}.record`));
    await context.tool({ argv: ['gzip', '-n', '-9', `/scratch/${name}.record`], mounts: { '/scratch': { path: context.scratch, rw: true } } });
    await rename(join(context.scratch, `${name}.record.gz`), join(folder, factoryFolder, `${name}.gz`));
    layers.push({ diffId: `sha256:${context.digest(input)}`, sizeBytes, record: `${name}.gz` });
  }
  const described = JSON.parse(await readFile(context.input('config'), 'utf8')) as { rootfs: { diff_ids: string[] } };
  if (described.rootfs.diff_ids.join() !== layers.map(({ diffId }) => diffId).join()) throw new Error('the image is not of the layers that its slot is made of');
  await copyFile(context.input('config'), join(folder, factoryFolder, 'config.json'));
  const image: FactoryImage = { format: 1, layers };
  await writeFile(join(folder, factoryFolder, 'image.json'), `${JSON.stringify(image)}\n`);
  return ['config.json', 'image.json', ...layers.map(({ record }) => record)].map((name) => `${factoryFolder}${name}`);
}
