import type { LockedPackage, ManifestPackage } from '../../../model/index.ts';
import type { PackageControl } from './deb.ts';
import { readLicences } from './licences.ts';

/** What an unpacking step counted of one package. */
export interface PackageCount {
  installedBytes: number;
  files: number;
  /** Text of the copyright file; null when the package has none of its own. */
  copyright: string | null;
  /** Package whose documentation folder this one's links to. */
  copyrightOf: string | null;
}

/** The manifest's line of a package. `counts` of all packages, by name, are needed to follow documentation links. */
export function manifestPackage(locked: LockedPackage, control: PackageControl, counts: Map<string, PackageCount>): ManifestPackage {
  const count = counts.get(locked.name);
  const source = /^(\S+)(?:\s+\((.*)\))?$/.exec(control.fields['Source'] ?? '');
  return {
    name: locked.name,
    version: locked.version,
    architecture: locked.architecture,
    source: source?.[1] ?? locked.name,
    sourceVersion: source?.[2] ?? locked.version,
    section: control.fields['Section'] ?? '',
    licences: readLicences(copyrightText(locked.name, counts) ?? ''),
    homepage: control.fields['Homepage'] ?? null,
    installedBytes: count?.installedBytes ?? 0,
    downloadBytes: locked.sizeBytes,
    sha256: locked.sha256,
    files: count?.files ?? 0,
  };
}

function copyrightText(name: string, counts: Map<string, PackageCount>): string | null {
  for (let current: string | null = name, steps = 0; current !== null && steps < 5; steps += 1) {
    const count: PackageCount | undefined = counts.get(current);
    if (count === undefined) return null;
    if (count.copyright !== null) return count.copyright;
    current = count.copyrightOf;
  }
  return null;
}
