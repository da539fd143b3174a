import { text } from 'host:bytes';
import { sha256 } from 'host:crypto';
import { TarError } from '../archive/index.ts';
import { EngineError, messageOf, systemErrorCode } from '../error.ts';
import { familiarName, parseImageConfig, parseReference, type Image, type ImageConfig, type ImageStore, type LayerStore, type LayerTar, type OtherRoot, type StagedLayer } from '../images/index.ts';
import type { Cancellation, Fd, System } from '../ports/index.ts';
import type { Paths } from '../store/index.ts';
import { applyDelta, readDeltaHead } from './apply.ts';
import { openBase, type BaseLayer } from './base.ts';
import { indexBase } from './candidates.ts';
import { damaged } from './container.ts';
import { createDelta } from './create.ts';
import { CONFIG_PATH, DELTA_PATH, deltaArchive, describeDelta, formatDeltaConfig, type DeltaDescription } from './delta-image.ts';

/** Images as differences to others, in the store. */
export interface Deltas {
  /** Makes an image that turns `source` into `target` where `source` is. Progress in words. */
  create(source: Image, target: Image, report: (step: string) => void, cancellation: Cancellation): Promise<{ id: string; sizeBytes: number }>;
  /** Throws EngineError 'DELTA_BASE_MISSING' when an image is a delta, and its base is not here. */
  check(config: ImageConfig): void;
  /**
   * The image that one stands for: for a delta its target, made now unless it is there, complete and durable; the delta goes when no name
   * points to it. Any other image is itself.
   */
  unfold(id: string, report?: (step: string) => void): Promise<string>;
  /** At a start: drops deltas that a pull has brought, and that have served, but whose end a killed daemon did not see. */
  recover(): Promise<void>;
}

export interface DeltasOptions {
  system: Pick<System, 'files' | 'machine'>;
  paths: Paths;
  images: ImageStore;
  layers: LayerStore;
  /** Where bases may lie besides. */
  otherRoot: OtherRoot;
  /** Removes layers that nothing wants. */
  collect(): Promise<unknown>;
}

const CONFIG_LIMIT_BYTES = 4 * 1024 * 1024;

export function createDeltas({ system: { files, machine }, paths, images, layers, otherRoot, collect }: DeltasOptions): Deltas {
  const layerTar = (diffId: string): LayerTar => (layers.get(diffId) === undefined ? otherRoot.tar(diffId) : undefined) ?? layers.tar(diffId);
  const openLayers = (diffIds: readonly string[]): BaseLayer[] => {
    const open: BaseLayer[] = [];
    try {
      for (const diffId of diffIds) open.push({ diffId, contents: layerTar(diffId).contents() });
      return open;
    } catch (error) {
      closeLayers(open);
      throw error;
    }
  };

  const missing = ({ baseId, baseDiffIds }: DeltaDescription): void => {
    const lacking = baseDiffIds.filter((diffId) => layers.get(diffId) === undefined && otherRoot.tar(diffId) === undefined);
    if (lacking.length === 0) return;
    throw new EngineError('not-found', 'DELTA_BASE_MISSING', `this is a delta to image ${baseId.slice('sha256:'.length, 'sha256:'.length + 12)}, which is not here: ${lacking.length} of its ${baseDiffIds.length} layers are missing`, {
      hint: 'pull or load that image first, or pull the whole new one',
    });
  };

  /** Layers that the target has from its base, and that are in the other root alone. */
  const copyShared = async ({ rootfs }: ImageConfig, staged: StagedLayer[], report: (step: string) => void): Promise<void> => {
    for (const diffId of new Set(rootfs.diff_ids)) {
      if (layers.get(diffId) !== undefined || staged.some((layer) => layer.diffId === diffId)) continue;
      const tar = otherRoot.tar(diffId);
      if (tar === undefined) continue;
      report(`Copying layer ${diffId.slice('sha256:'.length, 'sha256:'.length + 12)}`);
      const source = tar.open();
      try {
        staged.push(await layers.stage(source, 'overlay', tar.sizeBytes));
      } catch (error) {
        throw error instanceof EngineError && error.code === 'LAYER_DAMAGED' ? unreadable(error) : error;
      } finally {
        source.close();
      }
    }
  };

  /** The target's layers that are not here, staged. */
  const stageTarget = async (deltaDiffId: string, description: DeltaDescription, report: (step: string) => void): Promise<{ configText: string; staged: StagedLayer[] }> => {
    const [delta] = openLayers([deltaDiffId]);
    const staged: StagedLayer[] = [];
    let base: BaseLayer[] = [];
    try {
      base = openLayers(description.baseDiffIds);
      const opened = openBase(base);
      let configText: string | undefined;
      let place = -1;
      for (const segment of delta?.contents.segments() ?? []) {
        if (segment.kind !== 'file') continue;
        place += 1;
        const { path } = segment.content;
        if (path !== CONFIG_PATH && !DELTA_PATH.test(path)) continue;
        const fd = delta?.contents.open(path, place) ?? -1;
        try {
          if (path === CONFIG_PATH) {
            configText = readWhole(fd);
            continue;
          }
          const head = readDeltaHead(files, fd);
          if (head.baseDiffIds.join() !== description.baseDiffIds.join()) throw damaged('it was made from another base than it says');
          if (layers.get(head.diffId) !== undefined) continue;
          report(`Applying delta of ${head.diffId.slice('sha256:'.length, 'sha256:'.length + 12)}`);
          const source = applyDelta(files, fd, opened);
          try {
            const layer = await layers.stage(source, 'overlay', head.sizeBytes);
            staged.push(layer);
            if (layer.diffId !== head.diffId) throw damaged('what it makes has another hash');
          } finally {
            source.close();
          }
        } finally {
          files.close(fd);
        }
      }
      if (configText === undefined || `sha256:${sha256(configText)}` !== description.targetId) throw damaged('it lacks the image’s configuration');
      await copyShared(parseImageConfig(configText), staged, report);
      return { configText, staged };
    } catch (error) {
      for (const layer of staged) await layers.discard(layer);
      // Another engine's layers may be removed at any time.
      if (systemErrorCode(error) === 'ENOENT') throw unreadable(error);
      throw error instanceof TarError ? damaged(error.message, error) : error;
    } finally {
      closeLayers(base);
      closeLayers(delta === undefined ? [] : [delta]);
    }
  };

  const readWhole = (fd: Fd): string => {
    const { sizeBytes } = files.fstat(fd);
    if (sizeBytes > CONFIG_LIMIT_BYTES) throw damaged('the image’s configuration is too large');
    const bytes = new Uint8Array(sizeBytes);
    let have = 0;
    for (let length = -1; have < sizeBytes && length !== 0; have += length) length = files.read(fd, bytes.subarray(have), have);
    return text(bytes);
  };

  /** A delta that nobody has named has done its work, or never will. */
  const drop = async (id: string): Promise<void> => {
    if (images.get(id)?.names.length === 0) await images.remove(id);
    await collect();
  };

  return {
    check(config) {
      const description = describeDelta(config);
      if (description !== undefined && images.get(description.targetId) === undefined) missing(description);
    },
    async unfold(id, report = () => undefined) {
      const description = describeDelta(images.config(id));
      if (description === undefined) return id;
      const { targetId, format, baseDiffIds } = description;
      const unpin = images.pin([...baseDiffIds, ...(images.get(id)?.diffIds ?? [])]);
      try {
        if (images.get(targetId) !== undefined) return targetId;
        missing(description);
        const { configText, staged } = await stageTarget(images.get(id)?.diffIds[0] ?? '', description, report);
        try {
          return await images.add(configText, staged, format);
        } catch (error) {
          for (const layer of staged) await layers.discard(layer);
          throw error;
        }
      } finally {
        unpin();
        await drop(id);
      }
    },
    async recover() {
      const held = images.held();
      for (const { id, names: given, diffIds } of images.all()) {
        // Those that somebody made and has not named are nobody's to remove: no pull holds them.
        if (given.length > 0 || !diffIds.every((diffId) => held.has(diffId))) continue;
        const description = describeDelta(images.config(id));
        if (description !== undefined && images.get(description.targetId) !== undefined) await images.remove(id);
      }
    },
    async create(source, target, report, cancellation) {
      const baseDiffIds = [...new Set(source.diffIds)];
      const changed = [...new Set(target.diffIds)].filter((diffId) => !baseDiffIds.includes(diffId));
      const config = images.config(target.id);
      if (describeDelta(config) !== undefined || describeDelta(images.config(source.id)) !== undefined) throw new EngineError('invalid', 'DELTA_OF_DELTA', 'one of the images is a delta itself');
      const folder = `${paths.temporary}/${machine.randomHex(8)}`;
      const unpin = images.pin([...baseDiffIds, ...changed]);
      files.mkdir(folder, 0o700);
      let base: BaseLayer[] = [];
      try {
        base = openLayers(baseDiffIds);
        const opened = openBase(base);
        report(`Reading ${names(source)}`);
        const index = await indexBase(files, opened);
        const parts: string[] = [];
        for (const diffId of changed) {
          report(`Comparing layer ${diffId.slice('sha256:'.length, 'sha256:'.length + 12)}`);
          const path = `${folder}/${parts.length}`;
          const fd = files.open(path, 'create-new', 0o600);
          try {
            await createDelta(files, { diffId, tar: layers.tar(diffId) }, opened, index, (bytes) => {
              if (cancellation.cancelled) throw new EngineError('unavailable', 'DELTA_CANCELLED', 'context canceled');
              files.write(fd, bytes);
            });
          } finally {
            files.close(fd);
          }
          parts.push(path);
        }
        const archive = deltaArchive(files, images.configText(target.id), parts);
        const staged = await layers.stage(archive, 'overlay');
        const description: DeltaDescription = { baseId: source.id, baseDiffIds, targetId: target.id, format: images.format(target.id) };
        const id = await images.add(formatDeltaConfig(config, description, staged.diffId), [staged], 'oci');
        return { id, sizeBytes: staged.sizeBytes };
      } finally {
        closeLayers(base);
        unpin();
        await files.removeTree(folder);
      }
    },
  };
}

function unreadable(cause: unknown): EngineError {
  return new EngineError('not-found', 'DELTA_BASE_MISSING', `a layer of the delta’s base cannot be read: ${messageOf(cause)}`, { cause });
}

function closeLayers(open: readonly BaseLayer[]): void {
  for (const { contents } of open) contents.close();
}

function names({ id, names: all }: Image): string {
  return all[0] === undefined ? id : familiarName(parseReference(all[0]));
}

