import type { ManifestPackage, PreloadedImage } from '../model/index.ts';
import { guidFrom } from './identity.ts';
import type { ImageManifest } from './manifest.ts';

/**
 * A CycloneDX 1.6 bill of materials: the operating system as the component described, every binary package as a part of
 * it, with package URL, licences, hash of the package file and its source. Deterministic: time is the epoch, the serial number comes from the image's hash.
 */
export function cyclonedx(manifest: ImageManifest, epoch: number): Record<string, unknown> {
  const system = `${manifest.os.id}@${manifest.os.version}`;
  const preloaded = manifest.preloaded ?? [];
  const components = [...manifest.packages.map(component), ...preloaded.map(container)];
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${guidFrom(`sbom/${manifest.image.sha256}`)}`,
    version: 1,
    metadata: {
      timestamp: new Date(epoch * 1000).toISOString(),
      tools: { components: [{ type: 'application', name: 'osbuild' }] },
      component: {
        type: 'operating-system',
        'bom-ref': system,
        name: manifest.os.name,
        version: manifest.os.version,
        hashes: [{ alg: 'SHA-256', content: manifest.image.sha256 }],
        properties: [
          { name: 'osbuild:machine', value: manifest.machine },
          { name: 'osbuild:mode', value: manifest.mode },
          { name: 'osbuild:kernel', value: manifest.kernelVersion },
        ],
      },
    },
    components,
    dependencies: [{ ref: system, dependsOn: [...manifest.packages.map(packageUrl), ...preloaded.map(imageUrl)] }],
  };
}

function component(one: ManifestPackage): Record<string, unknown> {
  return {
    type: 'library',
    'bom-ref': packageUrl(one),
    name: one.name,
    version: one.version,
    purl: packageUrl(one),
    licenses: [...new Set(one.licences)].map(licence),
    hashes: [{ alg: 'SHA-256', content: one.sha256 }],
    ...references(one),
    properties: [
      { name: 'osbuild:source', value: `${one.source} ${one.sourceVersion}` },
      { name: 'osbuild:installedBytes', value: String(one.installedBytes) },
    ],
  };
}

function references({ homepage, sourceUrl }: ManifestPackage): Record<string, unknown> {
  const found = [...(homepage === null ? [] : [{ type: 'website', url: homepage }]), ...(sourceUrl === undefined ? [] : [{ type: 'source-distribution', url: sourceUrl }])];
  return found.length === 0 ? {} : { externalReferences: found };
}

function container(image: PreloadedImage): Record<string, unknown> {
  return {
    type: 'container',
    'bom-ref': imageUrl(image),
    name: image.reference,
    version: image.digest,
    purl: imageUrl(image),
    hashes: [{ alg: 'SHA-256', content: image.digest.replace('sha256:', '') }],
    properties: [
      { name: 'osbuild:imageId', value: image.id },
      ...image.services.map((service) => ({ name: 'osbuild:service', value: service })),
    ],
  };
}

/** Package URL of type oci: named by the digest, with the repository beside it. */
export function imageUrl({ reference, digest }: Pick<PreloadedImage, 'reference' | 'digest'>): string {
  const [, repository = reference, tag] = /^(.+?)(?::([^:/@]+))?(?:@.*)?$/.exec(reference) ?? [];
  const name = (repository.split('/').at(-1) ?? repository).toLowerCase();
  return `pkg:oci/${encodeURIComponent(name)}@${encodeURIComponent(digest)}?repository_url=${encodeURIComponent(repository)}${tag === undefined ? '' : `&tag=${encodeURIComponent(tag)}`}`;
}

/** Package URL (github.com/package-url/purl-spec) of type deb, or generic for a file by its address. */
export function packageUrl(one: Pick<ManifestPackage, 'name' | 'version' | 'architecture'> & { downloadUrl?: string; sha256?: string }): string {
  if (one.downloadUrl !== undefined) return `pkg:generic/${encodeURIComponent(one.name)}?checksum=sha256:${one.sha256 ?? ''}&download_url=${encodeURIComponent(one.downloadUrl)}`;
  const escape = (text: string): string => encodeURIComponent(text).replaceAll('~', '%7E').replaceAll('%3A', ':');
  return `pkg:deb/debian/${escape(one.name)}@${escape(one.version)}?arch=${one.architecture}`;
}

/** Debian's short names of licences (its copyright format, section 7.1) that have an SPDX identifier. */
const spdx: Record<string, string> = {
  'Apache-2.0': 'Apache-2.0',
  'Artistic': 'Artistic-1.0-Perl',
  'BSD-2-clause': 'BSD-2-Clause',
  'BSD-3-clause': 'BSD-3-Clause',
  'BSD-4-clause': 'BSD-4-Clause',
  'BSL-1.0': 'BSL-1.0',
  'CC0-1.0': 'CC0-1.0',
  'CC0': 'CC0-1.0',
  'Expat': 'MIT',
  'GFDL-1.3+': 'GFDL-1.3-or-later',
  'GPL-1+': 'GPL-1.0-or-later',
  'GPL-2': 'GPL-2.0-only',
  'GPL-2+': 'GPL-2.0-or-later',
  'GPL-3': 'GPL-3.0-only',
  'GPL-3+': 'GPL-3.0-or-later',
  'ISC': 'ISC',
  'LGPL-2': 'LGPL-2.0-only',
  'LGPL-2+': 'LGPL-2.0-or-later',
  'LGPL-2.1': 'LGPL-2.1-only',
  'LGPL-2.1+': 'LGPL-2.1-or-later',
  'LGPL-3': 'LGPL-3.0-only',
  'LGPL-3+': 'LGPL-3.0-or-later',
  'MIT': 'MIT',
  'MPL-1.1': 'MPL-1.1',
  'MPL-2.0': 'MPL-2.0',
  'Zlib': 'Zlib',
};

const spdxIdentifiers = new Set(Object.values(spdx));

function licence(name: string): Record<string, unknown> {
  const id = spdx[name] ?? (spdxIdentifiers.has(name) ? name : undefined);
  return { license: id === undefined ? { name } : { id } };
}
