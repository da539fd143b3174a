import { createHash } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import type { PackageManifest, StepContext } from '../model/index.ts';
import type { DiskReport } from './disk.ts';
import type { InitrdReport } from './initrd.ts';
import { deviceTypeContract, imageManifest, type ArtifactFile } from './manifest.ts';
import { kernelHeadersEnd } from './plan.ts';
import { cyclonedx } from './sbom.ts';

/** Writes the papers of an image: manifest, bill of materials, device-type contract, checksums of all. */
export async function describeImage(context: StepContext<'image/describe'>): Promise<void> {
  const { name, machine, os, mode, imageName, preloaded } = context.args;
  const image = await stored(context, 'image', `${imageName}.img.zst`);
  const disk = JSON.parse(await readFile(context.input('layout'), 'utf8')) as DiskReport;
  const initrd = JSON.parse(await readFile(context.input('initrd'), 'utf8')) as InitrdReport;
  const packages = JSON.parse(await readFile(context.input('packages'), 'utf8')) as PackageManifest;
  const kernelHeaders = context.task.inputs['headers'] === undefined ? null : await stored(context, 'headers', `${imageName}${kernelHeadersEnd}`);
  const manifest = imageManifest({ machineName: name, mode, os, image, disk, initrd, packages, kernelHeaders, ...(preloaded === undefined ? {} : { preloaded }) });
  const texts: Record<string, string> = {
    'manifest.json': json(manifest),
    'sbom.cdx.json': json(cyclonedx(manifest, context.epoch)),
    'image.json': json(deviceTypeContract({ machineName: name, machine, manifest })),
  };
  for (const [file, text] of Object.entries(texts)) await writeFile(context.output(file), text);
  const written = Object.entries(texts).map(([file, text]) => ({ file, sha256: createHash('sha256').update(text).digest('hex') }));
  const all = [image, await stored(context, 'bmap', `${imageName}.bmap`), await stored(context, 'update', `${imageName}.os.tar`), ...(kernelHeaders === null ? [] : [kernelHeaders]), ...written, await stored(context, 'fingerprint', 'fingerprint.sha256')];
  await writeFile(context.output('SHA256SUMS'), all.map(({ sha256, file }) => `${sha256}  ${file}\n`).join(''));
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

async function stored(context: StepContext<'image/describe'>, input: string, file: string): Promise<ArtifactFile> {
  return { file, sha256: context.digest(input), sizeBytes: (await stat(context.input(input))).size };
}
