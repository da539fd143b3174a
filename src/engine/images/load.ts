import { isZero, text } from 'host:bytes';
import { sha256 } from 'host:crypto';
import { createTarReader, decompressed, parseTarHeader, peek, TarError, type TarEntry } from '../archive/index.ts';
import { EngineError, messageOf, systemErrorCode } from '../error.ts';
import { collect } from '../http/body.ts';
import type { ByteSource } from '../ports/index.ts';
import { parseDockerManifest, promisedDigest, readOciIndex, type ArchivedImage } from './archive-manifest.ts';
import { entryPath, parentPath } from './entry-path.ts';
import { parseImageConfig } from './image-config.ts';
import type { ImageStore } from './image-store.ts';
import type { LayerStore, StagedLayer } from './layer-store.ts';
import type { Platform } from './platform.ts';
import { canonicalName, familiarName, parseReference, withDefaultTag } from './reference.ts';

export interface LoadedImage {
  id: string;
  /** Familiar names that it got. */
  names: string[];
  /** Image that lost its last name to this one. */
  displaced: { name: string; id: string }[];
}

interface Stores {
  layers: LayerStore;
  images: ImageStore;
  platform: Platform;
  now(): string;
  /** The image that one stands for: itself, or what a delta makes. */
  unfold(id: string): Promise<string>;
}

/** What an archive held, by path. */
interface ArchiveParts {
  documents: Map<string, string>;
  layers: Map<string, StagedLayer>;
  links: Map<string, string>;
}

const DOCUMENT_LIMIT_BYTES = 4 * 1024 * 1024;
const DOCUMENTS_LIMIT_BYTES = 32 * 1024 * 1024;

/**
 * Loads a `docker save` archive or an OCI layout as it arrives. Layers come before the manifest that names them, so everything that
 * looks like a layer is extracted, and what no image wants is dropped at the end.
 */
export async function loadArchive(source: ByteSource, stores: Stores): Promise<LoadedImage[]> {
  const parts: ArchiveParts = { documents: new Map(), layers: new Map(), links: new Map() };
  const plain = await decompressed(source);
  try {
    await readParts(plain, parts, stores.layers);
    const archived = findImages(parts, stores.platform);
    const loaded: LoadedImage[] = [];
    for (const image of archived) loaded.push(await addImage(image, parts, stores));
    return loaded;
  } catch (error) {
    if (error instanceof TarError || ['CORRUPT', 'TRUNCATED'].includes(systemErrorCode(error) ?? '')) throw new EngineError('invalid', 'IMAGE_ARCHIVE_INVALID', `cannot load the archive: ${messageOf(error)}`, { cause: error });
    throw error;
  } finally {
    plain.close();
    for (const staged of parts.layers.values()) await stores.layers.discard(staged);
  }
}

async function readParts(source: ByteSource, parts: ArchiveParts, layers: LayerStore): Promise<void> {
  const reader = createTarReader(source);
  let documentBytes = 0;
  for (let entry = await reader.next(); entry !== null; entry = await reader.next()) {
    const path = entryPath(entry.path);
    if (entry.type === 'symlink' || entry.type === 'hardlink') {
      parts.links.set(path, linkTarget(entry, path));
      continue;
    }
    if (entry.type !== 'file') continue;
    const { start, source: content } = await peek(reader.content, 512);
    if (looksLikeLayer(start)) {
      parts.layers.set(path, await layers.stage(content, 'overlay', entry.sizeBytes));
      continue;
    }
    if (entry.sizeBytes > DOCUMENT_LIMIT_BYTES) continue;
    documentBytes += entry.sizeBytes;
    if (documentBytes > DOCUMENTS_LIMIT_BYTES) throw new TarError('it holds too much besides layers');
    parts.documents.set(path, text(await collect(content, DOCUMENT_LIMIT_BYTES)));
  }
  await reader.drain();
}

function linkTarget(entry: TarEntry, path: string): string {
  if (entry.type === 'hardlink' || entry.linkPath.startsWith('/')) return entryPath(entry.linkPath);
  return entryPath(`${parentPath(path)}/${entry.linkPath}`);
}

/** gzip, zstd, or a tar header (an empty layer is all zeros). */
function looksLikeLayer(start: Uint8Array): boolean {
  if (start[0] === 0x1f && start[1] === 0x8b) return true;
  if (start[0] === 0x28 && start[1] === 0xb5 && start[2] === 0x2f && start[3] === 0xfd) return true;
  if (start.length < 512) return false;
  if (isZero(start)) return true;
  try {
    return parseTarHeader(start) !== null;
  } catch {
    return false;
  }
}

function findImages(parts: ArchiveParts, platform: Platform): ArchivedImage[] {
  const docker = parts.documents.get('manifest.json');
  if (docker !== undefined) return parseDockerManifest(docker);
  const oci = parts.documents.get('index.json');
  if (oci !== undefined) return readOciIndex(oci, (path) => parts.documents.get(path), platform);
  throw new EngineError('invalid', 'IMAGE_ARCHIVE_INVALID', 'not an image archive: it has neither manifest.json nor index.json', {
    hint: 'docker save and OCI layouts are understood; a root file system is loaded by docker import',
  });
}

async function addImage(image: ArchivedImage, parts: ArchiveParts, stores: Stores): Promise<LoadedImage> {
  const configText = parts.documents.get(followLinks(parts, image.configPath));
  if (configText === undefined) throw new EngineError('invalid', 'IMAGE_ARCHIVE_INVALID', `the archive lacks the image's configuration ${image.configPath}`);
  checkDigest(image.configPath, `sha256:${sha256(configText)}`);
  const { diff_ids: diffIds } = parseImageConfig(configText).rootfs;
  if (diffIds.length !== image.layerPaths.length) {
    throw new EngineError('invalid', 'IMAGE_ARCHIVE_INVALID', `the image has ${diffIds.length} diffIDs but ${image.layerPaths.length} layers`);
  }
  const staged: StagedLayer[] = [];
  for (const [index, layerPath] of image.layerPaths.entries()) {
    const diffId = diffIds[index] ?? '';
    const path = followLinks(parts, layerPath);
    const layer = parts.layers.get(path);
    if (layer === undefined) {
      // In the store already, perhaps by an image earlier in this archive.
      if (stores.layers.get(diffId) !== undefined) continue;
      throw new EngineError('invalid', 'IMAGE_ARCHIVE_INVALID', `the archive lacks the layer ${layerPath}`);
    }
    checkDigest(path, layer.blobDigest);
    if (layer.diffId !== diffId) {
      throw new EngineError('invalid', 'LAYER_DIGEST_MISMATCH', `layer ${layerPath} does not have the content that the image names`, { hint: `expected ${diffId}, got ${layer.diffId}` });
    }
    staged.push(layer);
  }
  const archivedId = await stores.images.add(configText, staged);
  for (const [path, layer] of parts.layers) if (staged.includes(layer)) parts.layers.delete(path);
  const id = await stores.unfold(archivedId);
  return { id, ...(await giveNames(stores, id, image.names)) };
}

async function giveNames(stores: Stores, id: string, names: readonly string[]): Promise<{ names: string[]; displaced: LoadedImage['displaced'] }> {
  const given: string[] = [];
  const displaced: LoadedImage['displaced'] = [];
  for (const name of names) {
    const reference = withDefaultTag(parseReference(name));
    const before = await stores.images.name(canonicalName(reference), id, stores.now());
    given.push(familiarName(reference));
    if (before !== undefined) displaced.push({ name: familiarName(reference), id: before });
  }
  return { names: given, displaced };
}

function followLinks(parts: ArchiveParts, path: string): string {
  let at = path;
  for (let step = 0; step < 8; step += 1) {
    const next = parts.links.get(at);
    if (next === undefined) return at;
    at = next;
  }
  return at;
}

function checkDigest(path: string, actual: string): void {
  const promised = promisedDigest(path);
  if (promised === undefined || promised === actual) return;
  throw new EngineError('invalid', 'DIGEST_MISMATCH', `${path} in the archive has other content than its name says`, { hint: `its digest is ${actual}` });
}
