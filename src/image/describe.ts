import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { PackageManifest, StepContext } from '../model/index.ts';
import type { DiskReport } from './disk.ts';
import { fingerprint } from './fingerprint.ts';
import type { InitrdReport } from './initrd.ts';
import { deviceTypeContract, imageManifest, type ArtifactFile } from './manifest.ts';
import { cyclonedx } from './sbom.ts';

/** Writes the papers of an image: manifest, bill of materials, device-type contract, fingerprint of the root, checksums. */
export async function describeImage(context: StepContext<'image/describe'>): Promise<void> {
  const { name, machine, os, mode, imageName } = context.args;
  const image = await artifact(context.input('image'), `${imageName}.img.zst`);
  const disk = JSON.parse(await readFile(context.input('layout'), 'utf8')) as DiskReport;
  const initrd = JSON.parse(await readFile(context.input('initrd'), 'utf8')) as InitrdReport;
  const packages = JSON.parse(await readFile(context.input('packages'), 'utf8')) as PackageManifest;
  const manifest = imageManifest({ machineName: name, mode, os, image, disk, initrd, packages });
  const texts: Record<string, string> = {
    'manifest.json': json(manifest),
    'sbom.cdx.json': json(cyclonedx(manifest, context.epoch)),
    'image.json': json(deviceTypeContract({ machineName: name, machine, manifest })),
    'fingerprint.sha256': fingerprint(context.input('rootfs')),
  };
  for (const [file, text] of Object.entries(texts)) await writeFile(context.output(file), text);
  const written = await Promise.all(Object.keys(texts).map((file) => artifact(context.output(file), file)));
  const all = [image, await artifact(context.input('bmap'), `${imageName}.bmap`), ...written];
  await writeFile(context.output('SHA256SUMS'), all.map(({ sha256, file }) => `${sha256}  ${file}\n`).join(''));
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

async function artifact(path: string, file: string): Promise<ArtifactFile> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return { file, sha256: hash.digest('hex'), sizeBytes: (await stat(path)).size };
}
