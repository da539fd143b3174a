import { EngineError } from '../error.ts';
import { choosePlatform, formatPlatform, type Platform } from './platform.ts';

/** One image in an archive: where its parts lie in it. */
export interface ArchivedImage {
  configPath: string;
  /** In order, lowest first. */
  layerPaths: string[];
  /** Names as written, such as 'busybox:latest'. */
  names: string[];
}

interface Descriptor {
  mediaType?: string;
  digest: string;
  size?: number;
  annotations?: Record<string, string>;
  platform?: { architecture?: string; os?: string; variant?: string };
}

const INDEX_DEPTH_LIMIT = 4;

/** Docker's manifest.json, as `docker save` has written since 1.10. */
export function parseDockerManifest(text: string): ArchivedImage[] {
  const list = parseJson(text, 'manifest.json');
  if (!Array.isArray(list)) throw invalid('manifest.json is not a list');
  return list.map((item: unknown) => {
    if (!isRecord(item) || typeof item['Config'] !== 'string' || !isStrings(item['Layers'])) throw invalid('manifest.json has an entry without Config or Layers');
    const names = item['RepoTags'];
    return { configPath: clean(item['Config']), layerPaths: item['Layers'].map(clean), names: isStrings(names) ? names : [] };
  });
}

/**
 * An OCI layout's images for a platform. `blob` gives the text of a JSON blob by its path in the archive, or undefined.
 */
export function readOciIndex(indexText: string, blob: (path: string) => string | undefined, platform: Platform): ArchivedImage[] {
  const images: ArchivedImage[] = [];
  const visit = (descriptor: Descriptor, name: string | undefined, depth: number): void => {
    const path = blobPath(descriptor.digest);
    const text = blob(path);
    if (text === undefined) throw invalid(`the manifest ${descriptor.digest} is missing`);
    const document = parseJson(text, descriptor.digest);
    if (!isRecord(document)) throw invalid(`${descriptor.digest} is not an object`);
    if (Array.isArray(document['manifests'])) {
      if (depth >= INDEX_DEPTH_LIMIT) throw invalid('indexes are nested too deeply');
      const choice = choosePlatform(document['manifests'].map(toDescriptor), platform);
      if (choice === undefined) throw invalid(`there is no image for ${formatPlatform(platform)}`);
      visit(choice, name, depth + 1);
      return;
    }
    const layers = document['layers'];
    if (!isRecord(document['config']) || !Array.isArray(layers)) throw invalid(`${descriptor.digest} is not an image manifest`);
    images.push({
      configPath: blobPath(toDescriptor(document['config']).digest),
      layerPaths: layers.map((layer) => blobPath(toDescriptor(layer).digest)),
      names: name === undefined ? [] : [name],
    });
  };
  const index = parseJson(indexText, 'index.json');
  if (!isRecord(index) || !Array.isArray(index['manifests'])) throw invalid('index.json lists no manifests');
  for (const descriptor of index['manifests'].map(toDescriptor)) {
    const notes = descriptor.annotations ?? {};
    visit(descriptor, notes['io.containerd.image.name'] ?? notes['org.opencontainers.image.ref.name'], 0);
  }
  return images;
}

/** The digest that a blob's name promises; undefined for other names. */
export function promisedDigest(path: string): string | undefined {
  const match = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path) ?? /^([0-9a-f]{64})\.json$/.exec(path);
  return match === null ? undefined : `sha256:${match[1]}`;
}

function blobPath(digest: string): string {
  const match = /^sha256:([0-9a-f]{64})$/.exec(digest);
  if (match === null) throw invalid(`${JSON.stringify(digest)} is not a SHA-256 digest`);
  return `blobs/sha256/${match[1]}`;
}

function toDescriptor(value: unknown): Descriptor {
  if (!isRecord(value) || typeof value['digest'] !== 'string') throw invalid('a descriptor has no digest');
  return value as unknown as Descriptor;
}

function clean(path: string): string {
  return path.replace(/^(?:\.?\/)+/, '');
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid(`${what} is not JSON`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function invalid(why: string): EngineError {
  return new EngineError('invalid', 'IMAGE_ARCHIVE_INVALID', `not an image archive: ${why}`, { hint: 'docker save and OCI layouts are understood' });
}
