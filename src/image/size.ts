import type { ImageManifest } from './manifest.ts';

/** What costs what in an image, largest first. Bytes; packages are counted before compression. */
export interface SizeReport {
  compressedBytes: number;
  partitions: Array<{ name: string; sizeBytes: number; usedBytes: number; freeBytes: number }>;
  packages: Array<{ name: string; version: string; installedBytes: number; /** Of all packages, 0 to 1. */ share: number }>;
  sections: Array<{ name: string; installedBytes: number; packages: number }>;
  packagesBytes: number;
}

export function sizeReport(manifest: Pick<ImageManifest, 'image' | 'partitions' | 'packages'>): SizeReport {
  const packagesBytes = manifest.packages.reduce((sum, { installedBytes }) => sum + installedBytes, 0);
  const sections = new Map<string, { name: string; installedBytes: number; packages: number }>();
  for (const { section, installedBytes } of manifest.packages) {
    const sum = sections.get(section) ?? { name: section, installedBytes: 0, packages: 0 };
    sections.set(section, { name: section, installedBytes: sum.installedBytes + installedBytes, packages: sum.packages + 1 });
  }
  const largestFirst = <T extends { installedBytes: number }>(items: T[]): T[] => items.sort((a, b) => b.installedBytes - a.installedBytes);
  return {
    compressedBytes: manifest.image.compressedBytes,
    partitions: manifest.partitions.map(({ name, sizeBytes, usedBytes }) => ({ name, sizeBytes, usedBytes, freeBytes: sizeBytes - usedBytes })),
    packages: largestFirst(
      manifest.packages.map(({ name, version, installedBytes }) => ({ name, version, installedBytes, share: packagesBytes === 0 ? 0 : installedBytes / packagesBytes })),
    ),
    sections: largestFirst([...sections.values()]),
    packagesBytes,
  };
}
