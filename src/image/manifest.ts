import { kernelOrigin, type ManifestPackage, type PackageManifest, type PreloadedImage, type StepArgs } from '../model/index.ts';
import type { DiskReport } from './disk.ts';
import type { InitrdReport } from './initrd.ts';

/** manifest.json: what an image is made of. Sizes in bytes. */
export interface ImageManifest {
  version: 1;
  name: string;
  machine: string;
  mode: string;
  os: { name: string; id: string; version: string };
  kernelVersion: string;
  /** What modules for the kernel are compiled against; only where there is such a file. */
  kernelHeaders?: ArtifactFile;
  image: { file: string; sha256: string; compressedBytes: number; sizeBytes: number; mappedBytes: number };
  partitions: Array<{ name: string; number: number; startBytes: number; sizeBytes: number; filesystem: string | null; usedBytes: number; sha256: string | null }>;
  /** Outside of partitions, for the board's boot ROM; only where the machine has such areas. */
  areas?: DiskReport['areas'];
  initrd: { compressedBytes: number; unpackedBytes: number; modules: string[]; programs: string[] };
  packages: ManifestPackage[];
  /** Images of applications on the data partition; only where there are any. */
  preloaded?: PreloadedImage[];
}

/** A file among the artifacts, as SHA256SUMS and the manifest name it. */
export interface ArtifactFile {
  file: string;
  sha256: string;
  sizeBytes: number;
}

export function imageManifest(options: {
  machineName: string;
  mode: string;
  os: ImageManifest['os'];
  image: ArtifactFile;
  disk: DiskReport;
  initrd: InitrdReport;
  packages: PackageManifest;
  kernelHeaders: ArtifactFile | null;
  preloaded?: PreloadedImage[];
}): ImageManifest {
  const { machineName, mode, os, image, disk, initrd, packages, kernelHeaders, preloaded } = options;
  return {
    version: 1,
    name: `${os.name} ${os.version}`,
    machine: machineName,
    mode,
    os,
    kernelVersion: initrd.kernelVersion,
    ...(kernelHeaders === null ? {} : { kernelHeaders }),
    image: { file: image.file, sha256: image.sha256, compressedBytes: image.sizeBytes, sizeBytes: disk.layout.sizeBytes, mappedBytes: disk.mappedBytes },
    partitions: disk.layout.partitions.map(({ name, number, startBytes, sizeBytes }) => {
      // What stands behind a file system counts as used, and is no file system.
      const contents = disk.contents.filter(({ partition }) => partition === name);
      const [content] = contents;
      return { name, number, startBytes, sizeBytes, filesystem: content?.filesystem ?? null, usedBytes: contents.reduce((sum, { usedBytes }) => sum + usedBytes, 0), sha256: content?.sha256 ?? null };
    }),
    ...(disk.areas === undefined ? {} : { areas: disk.areas }),
    initrd: { compressedBytes: initrd.compressedBytes, unpackedBytes: initrd.unpackedBytes, modules: initrd.modules, programs: initrd.programs },
    packages: [...packages.packages].sort((a, b) => (a.name < b.name ? -1 : 1)),
    ...(preloaded === undefined ? {} : { preloaded }),
  };
}

/** image.json: what a flashing tool or a fleet needs to know about the device type, without opening the image. */
export function deviceTypeContract(options: { machineName: string; machine: StepArgs['image/describe']['machine']; manifest: ImageManifest }): Record<string, unknown> {
  const { machineName, machine, manifest } = options;
  const boot = manifest.partitions.find(({ name }) => name === 'boot');
  const medium = machine.boot.method === 'systemd-boot' ? 'the USB stick or internal disk' : 'the SD card or other medium';
  return {
    version: 1,
    slug: machineName,
    aliases: machine.aliases ?? [],
    name: machine.description,
    arch: machine.arch,
    mode: manifest.mode,
    os: manifest.os,
    kernel: { version: manifest.kernelVersion, package: kernelOrigin(machine.kernel).package, architecture: kernelOrigin(machine.kernel).architecture },
    boot: { method: machine.boot.method, table: machine.disk.table },
    image: manifest.image,
    blockMap: manifest.image.file.replace(/\.img\.zst$/, '.bmap'),
    partitions: manifest.partitions.map(({ name, number, startBytes, sizeBytes, filesystem }) => ({ name, number, startBytes, sizeBytes, filesystem })),
    configuration: { partition: 'boot', number: boot?.number ?? 1, startBytes: boot?.startBytes ?? 0, filesystem: 'vfat', path: '/config.json' },
    instructions: machine.instructions?.map((line) => line.replaceAll('{image}', manifest.image.file)) ?? [
      `Write ${manifest.image.file} to ${medium}: \`bmaptool copy ${manifest.image.file} <device>\`, or decompress it with zstd and copy it with dd.`,
      'Optional: edit config.json on the partition labelled MINKE-BOOT (hostname, SSH keys).',
      `Start the ${machine.description} from it. The data partition grows to fill the medium on the first start.`,
    ],
  };
}
