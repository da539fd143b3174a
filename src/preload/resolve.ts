import { OsbuildError, type Arch, type PreloadedImage, type PreloadedRegistry } from '../model/index.ts';
import { formatImageName, parseImageName, type ImageName, type Manifest, type Repository } from '../registry/index.ts';
import type { Applications } from './applications.ts';
import { openImages, type ArchivedImage } from './archives.ts';
import { choose, platformText, suits, wantedPlatform, type Platform } from './platform.ts';

/** An image, and where its bytes are. */
export type ResolvedImage = PreloadedImage & ({ registry: PreloadedRegistry } | { archive: string });

export interface ResolveOptions {
  arch: Arch;
  machine: string;
  archives: readonly string[];
  insecure: boolean;
  open(name: ImageName): Promise<Repository>;
}

/** Finds the images of a compose file for a machine: in archives first, then in registries. @throws OSB_CONFIG_INVALID, OSB_REGISTRY */
export async function resolveImages({ images }: Pick<Applications, 'images'>, options: ResolveOptions): Promise<ResolvedImage[]> {
  const archived = options.archives.flatMap(openImages);
  const resolved: ResolvedImage[] = [];
  const references = new Set<string>();
  for (const { reference, platform, services } of images) {
    if (references.has(reference)) throw new OsbuildError('OSB_CONFIG_INVALID', `the image ${reference} is wanted for several platforms`, { hint: 'a device has one image of a name: use tags' });
    references.add(reference);
    const wanted = wantedPlatform(options.arch, platform);
    const name = parseImageName(reference);
    const found = fromArchive(archived, name, wanted) ?? (await fromRegistry(name, wanted, options));
    resolved.push({ reference, services, ...found });
  }
  return resolved;
}

type Found = Pick<PreloadedImage, 'digest' | 'id'> & ({ registry: PreloadedRegistry } | { archive: string });

const nameOf = (name: ImageName): string => formatImageName(name.digest === undefined ? { ...name, tag: name.tag ?? 'latest' } : { registry: name.registry, path: name.path, digest: name.digest });

function fromArchive(archived: readonly ArchivedImage[], name: ImageName, wanted: Platform): Found | null {
  const named = archived.filter(({ names, digest }) => names.some((known) => nameOf(parseImageName(known)) === nameOf(name)) || (name.digest !== undefined && digest === name.digest));
  if (named.length === 0) return null;
  const image = choose(wanted, named, ({ platform }) => platform);
  if (image === undefined) throw notFor(name, wanted, named.map(({ platform }) => platform), named[0]?.file ?? '');
  return { digest: image.digest, id: image.id, archive: image.file };
}

function notFor(name: ImageName, wanted: Platform, offered: readonly Platform[], where: string): OsbuildError {
  return new OsbuildError('OSB_CONFIG_INVALID', `${formatImageName(name)} is not there for ${platformText(wanted)}: ${where} has it for ${[...new Set(offered.map(platformText))].join(', ')}`, { hint: 'build it for this platform too, or name one of these with `platform:` in the compose file if the machine can run it' });
}

interface IndexDocument {
  manifests?: Array<{ digest?: string; platform?: Platform; annotations?: Record<string, string> }>;
}

async function fromRegistry(name: ImageName, wanted: Platform, { open, insecure }: ResolveOptions): Promise<Found> {
  const repository = await open(name);
  const top = await repository.manifest(name.digest ?? name.tag ?? 'latest');
  if (top === null) throw new OsbuildError('OSB_REGISTRY', `${nameOf(name)} is not there: the registry knows no such tag`, { hint: 'push the image first, correct its name in the compose file, or name an archive of it in preload.archives' });
  const manifest = top.config === null ? await childOf(repository, name, top, wanted) : top;
  if (manifest.config === null) throw new OsbuildError('OSB_REGISTRY', `${nameOf(name)} is no image: it has no configuration`);
  const { os, architecture, variant } = JSON.parse(await repository.text(manifest.config)) as Platform;
  const offered: Platform = { ...(os === undefined ? {} : { os }), ...(architecture === undefined ? {} : { architecture }), ...(variant === undefined ? {} : { variant }) };
  if (suits(wanted, offered) === null) throw notFor(name, wanted, [offered], 'the registry');
  const blobs = [manifest.config, ...manifest.layers].map(({ mediaType, digest, sizeBytes }) => ({ mediaType, digest, sizeBytes }));
  return {
    digest: manifest.digest, id: manifest.config.digest,
    registry: { repository: formatImageName({ registry: name.registry, path: name.path }), insecure, manifest: { mediaType: manifest.mediaType, text: manifest.text }, blobs },
  };
}

async function childOf(repository: Repository, name: ImageName, index: Manifest, wanted: Platform): Promise<Manifest> {
  // Proofs of how an image was built are listed as images of an unknown platform.
  const children = ((JSON.parse(index.text) as IndexDocument).manifests ?? []).filter(({ platform }) => platform?.os !== 'unknown');
  const child = choose(wanted, children, ({ platform = {} }) => platform);
  if (child?.digest === undefined) throw notFor(name, wanted, children.map(({ platform = {} }) => platform), 'the registry');
  const manifest = await repository.manifest(child.digest);
  if (manifest === null) throw new OsbuildError('OSB_REGISTRY', `the registry lacks ${child.digest}, which ${nameOf(name)} lists for ${platformText(wanted)}`);
  return manifest;
}
