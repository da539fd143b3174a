import { decompressed, hashed, type Compression } from '../archive/index.ts';
import { EngineError, systemErrorCode } from '../error.ts';
import type { ByteSource, Files, Machine } from '../ports/index.ts';
import { isFull, readDocument, setAside, writeDocument, type OnDamage, type Paths } from '../store/index.ts';
import { noteKnownBlob, readKnownBlobs, type KnownBlob } from './known-blobs.ts';
import { adoptLayerRecord, createLayerRecorder, openLayerContents, openLayerTar, type LayerContents } from './layer-record.ts';
import { extractLayer, type WhiteoutMode } from './layer-extract.ts';
import { checkSpace } from './space.ts';

export interface Layer {
  /** 'sha256:…' of the uncompressed archive. */
  diffId: string;
  /** Folder below `layers/`, short because overlay's options must fit in a page. */
  folder: string;
  /** Sum of the files' lengths. */
  sizeBytes: number;
  /** Length of the uncompressed archive; undefined for a layer of an engine that did not keep what is needed to make it again. */
  tarBytes: number | undefined;
}

/** A layer that is extracted but not yet part of the store. */
export interface StagedLayer {
  diffId: string;
  /** Of the bytes as they came, compressed or not. */
  blobDigest: string;
  blobSizeBytes: number;
  sizeBytes: number;
  tarBytes: number;
  compression: Compression;
  /** Where the blob came from, 'domain/path'; undefined when it was no registry. */
  repository?: string;
  path: string;
}

interface LayerDocument {
  diffId: string;
  sizeBytes: number;
  tarBytes?: number;
}

/** A layer's uncompressed archive. */
export interface LayerTar {
  sizeBytes: number;
  /** Its reader throws when the bytes turn out not to be those of the diffID. */
  open(): ByteSource & { close(): void };
  /** What it is made of, without that check. */
  contents(): LayerContents;
}

export interface LayerStore {
  get(diffId: string): Layer | undefined;
  all(): Layer[];
  /** Extracts while reading; the source may be compressed. On failure nothing is left. `leastBytes`: what its archive is known to have at least; 'DISK_FULL' at once when that cannot fit. */
  stage(source: ByteSource, whiteouts: WhiteoutMode, leastBytes?: number): Promise<StagedLayer>;
  /** Makes staged layers durable and visible, each as a whole. Ones that are there already are dropped. */
  commit(staged: readonly StagedLayer[]): Promise<void>;
  discard(staged: StagedLayer): Promise<void>;
  /** Throws EngineError when there is no such layer, or no archive of it can be made. */
  tar(diffId: string): LayerTar;
  /** As what registries have the layer, the latest first. */
  blobs(diffId: string): KnownBlob[];
  noteBlob(diffId: string, blob: KnownBlob): Promise<void>;
  remove(diffId: string): Promise<void>;
}

/** Digits of a layer's diffID that name its folder. */
export const FOLDER_DIGITS = 16;

export function openLayerStore(files: Files, machine: Machine, paths: Paths, onDamage: OnDamage): LayerStore {
  const layers = new Map<string, Layer>();
  for (const { name } of files.readdir(paths.layers)) {
    try {
      const document = readDocument<LayerDocument>(files, `${paths.layers}/${name}/layer.json`);
      layers.set(document.diffId, { diffId: document.diffId, sizeBytes: document.sizeBytes, tarBytes: document.tarBytes, folder: name });
    } catch (error) {
      onDamage(`${paths.layers}/${name}`, error);
      setAside(files, paths.dataRoot, `${paths.layers}/${name}`);
    }
  }

  /** What a layer of an older engine lacks: the record first, the note that it has one when it is durable. */
  const adopt = async (present: Layer, staged: StagedLayer): Promise<void> => {
    const folder = `${paths.layers}/${present.folder}`;
    adoptLayerRecord(files, staged.path, folder);
    await files.syncFileSystem(paths.layers);
    await writeDocument(files, `${folder}/layer.json`, documentOf({ ...present, tarBytes: staged.tarBytes }));
    layers.set(present.diffId, { ...present, tarBytes: staged.tarBytes });
  };
  const discard = (staged: StagedLayer): Promise<void> => files.removeTree(staged.path);

  return {
    get: (diffId) => layers.get(diffId),
    all: () => [...layers.values()],
    discard,
    async stage(source, whiteouts, leastBytes = 0) {
      checkSpace(files, paths.dataRoot, leastBytes, `the layer has at least ${Math.ceil(leastBytes / 1e6)} MB`);
      const path = `${paths.temporary}/${machine.randomHex(8)}`;
      files.mkdir(path, 0o700);
      files.mkdir(`${path}/diff`, 0o755);
      try {
        return await extract(files, source, path, whiteouts);
      } catch (error) {
        await files.removeTree(path);
        throw explain(error, files, paths);
      }
    },
    tar(diffId) {
      const layer = layers.get(diffId);
      if (layer === undefined) throw new EngineError('not-found', 'LAYER_MISSING', `layer ${diffId} does not exist`);
      const { tarBytes, folder } = layer;
      if (tarBytes === undefined) {
        throw new EngineError('conflict', 'LAYER_NO_RECORD', `the archive of layer ${diffId} cannot be made again: an older engine extracted it`, {
          hint: 'docker load an archive that has it, or remove its images and containers and pull them again',
        });
      }
      return { sizeBytes: tarBytes, open: () => openLayerTar(files, `${paths.layers}/${folder}`, diffId), contents: () => openLayerContents(files, `${paths.layers}/${folder}`) };
    },
    blobs(diffId) {
      const layer = layers.get(diffId);
      return layer === undefined ? [] : readKnownBlobs(files, `${paths.layers}/${layer.folder}`);
    },
    async noteBlob(diffId, blob) {
      const layer = layers.get(diffId);
      if (layer !== undefined) await noteKnownBlob(files, `${paths.layers}/${layer.folder}`, blob);
    },
    async commit(staged) {
      const fresh = new Map<string, StagedLayer>();
      for (const layer of staged) {
        const present = layers.get(layer.diffId);
        if (present !== undefined && present.tarBytes === undefined) await adopt(present, layer);
        if (present !== undefined || fresh.has(layer.diffId)) await discard(layer);
        else fresh.set(layer.diffId, layer);
      }
      if (fresh.size === 0) return;
      for (const layer of fresh.values()) {
        await writeDocument(files, `${layer.path}/layer.json`, documentOf(layer));
        const { repository, blobDigest: digest, blobSizeBytes: sizeBytes, compression } = layer;
        if (repository !== undefined) await noteKnownBlob(files, layer.path, { digest, sizeBytes, compression, repository });
      }
      await files.syncFileSystem(paths.layers);
      for (const layer of fresh.values()) {
        // Another load may have been faster while ours was written out.
        if (layers.has(layer.diffId)) {
          await discard(layer);
          continue;
        }
        const folder = layer.diffId.slice('sha256:'.length, 'sha256:'.length + FOLDER_DIGITS);
        files.chmod(layer.path, 0o711);
        files.rename(layer.path, `${paths.layers}/${folder}`);
        layers.set(layer.diffId, { ...documentOf(layer), folder });
      }
      await files.syncDirectory(paths.layers);
    },
    async remove(diffId) {
      const layer = layers.get(diffId);
      if (layer === undefined) return;
      layers.delete(diffId);
      // Out of sight in one step; what a crash leaves in the temporary folder goes at the next start.
      const grave = `${paths.temporary}/${machine.randomHex(8)}`;
      files.rename(`${paths.layers}/${layer.folder}`, grave);
      await files.removeTree(grave);
    },
  };
}

async function extract(files: Files, source: ByteSource, path: string, whiteouts: WhiteoutMode): Promise<StagedLayer> {
  const blob = hashed(source);
  const plain = await decompressed(blob);
  try {
    // Of what is not compressed one hash is both.
    const packed = plain.compression !== 'none';
    const content = packed ? hashed(plain) : blob;
    const source = packed ? content : plain;
    const root = files.openRoot(`${path}/diff`);
    const recorder = createLayerRecorder(files, path, root);
    try {
      const { sizeBytes } = await extractLayer(files, source, root, whiteouts, recorder);
      recorder.end();
      return { diffId: `sha256:${content.hex()}`, blobDigest: `sha256:${blob.hex()}`, blobSizeBytes: blob.sizeBytes, sizeBytes, tarBytes: content.sizeBytes, compression: plain.compression, path };
    } finally {
      recorder.close();
      root.close();
    }
  } finally {
    plain.close();
  }
}

function documentOf({ diffId, sizeBytes, tarBytes }: StagedLayer | (Layer & { tarBytes: number })): LayerDocument & { tarBytes: number } {
  return { diffId, sizeBytes, tarBytes };
}

function explain(error: unknown, files: Files, paths: Paths): unknown {
  const code = systemErrorCode(error);
  if (isFull(error)) {
    const { availableBytes } = files.space(paths.dataRoot);
    return new EngineError('internal', 'DISK_FULL', `no space left on device: ${paths.dataRoot} has ${Math.floor(availableBytes / 1e6)} MB free`, {
      hint: 'remove images or containers that are not needed (docker system prune)',
      cause: error,
    });
  }
  if (code === 'CORRUPT' || code === 'TRUNCATED') return new EngineError('invalid', 'LAYER_DAMAGED', 'the layer is damaged: its compressed data cannot be read', { cause: error });
  return error;
}
