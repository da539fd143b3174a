import { EngineError } from '../error.ts';
import { parseReference, type Image, type ImageStore, type Reference } from '../images/index.ts';

/** An image to save, under these names. */
export interface ImageSelection {
  image: Image;
  references: Reference[];
}

/** What somebody names to be saved: a name with its tag, all tags of a repository when it is named alone, or an id without any name. */
export function selectImages(names: readonly string[], images: Pick<ImageStore, 'all' | 'find'>): ImageSelection[] {
  const selected = new Map<string, ImageSelection>();
  const add = (image: Image, reference?: Reference): void => {
    const selection = selected.get(image.id) ?? { image, references: [] };
    selected.set(image.id, selection);
    if (reference?.tag === undefined) return;
    if (!selection.references.some(({ domain, path, tag }) => domain === reference.domain && path === reference.path && tag === reference.tag)) {
      selection.references.push({ ...reference, digest: undefined });
    }
  };
  for (const name of names) {
    const reference = tryParse(name);
    if (reference !== undefined && reference.tag === undefined && reference.digest === undefined) {
      const tagged = taggedImages(reference, images);
      for (const { image, tag } of tagged) add(image, { ...reference, tag });
      if (tagged.length > 0) continue;
    }
    const image = images.find(name);
    if (image === undefined) throw new EngineError('not-found', 'IMAGE_UNKNOWN', `No such image: ${name}`);
    const named = reference !== undefined && image.names.some((candidate) => isSame(parseReference(candidate), reference));
    add(image, named ? reference : undefined);
  }
  return [...selected.values()];
}

function tryParse(name: string): Reference | undefined {
  if (/^sha256:[0-9a-f]{1,64}$/.test(name)) return undefined;
  try {
    return parseReference(name);
  } catch {
    return undefined;
  }
}

/** The tags of a repository, in their order. */
export function taggedImages({ domain, path }: Pick<Reference, 'domain' | 'path'>, images: Pick<ImageStore, 'all'>): { image: Image; tag: string }[] {
  const found = images.all().flatMap((image) =>
    image.names.map(parseReference).flatMap((reference) => (reference.domain === domain && reference.path === path && reference.tag !== undefined ? [{ image, tag: reference.tag }] : [])),
  );
  return found.toSorted((a, b) => (a.tag < b.tag ? -1 : 1));
}

function isSame(a: Reference, b: Reference): boolean {
  return a.domain === b.domain && a.path === b.path && a.tag === b.tag;
}
