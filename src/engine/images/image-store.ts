import { sha256 } from 'host:crypto';
import { EngineError } from '../error.ts';
import type { Files } from '../ports/index.ts';
import { createQueue, readDocument, setAside, writeDocument, type OnDamage, type Paths } from '../store/index.ts';
import { openHolds, type Holds } from './holds.ts';
import { parseImageConfig, type ImageConfig } from './image-config.ts';
import type { LayerStore, StagedLayer } from './layer-store.ts';
import { canonicalName, parseReference, withDefaultTag } from './reference.ts';

export interface Image {
  /** 'sha256:…' of the configuration's bytes. */
  id: string;
  diffIds: readonly string[];
  /** Canonical names that point here, sorted. */
  names: readonly string[];
}

interface NamesDocument {
  /** Canonical name → image id. */
  names: Record<string, string>;
  /** When each image got its last name, ISO time. */
  taggedAt: Record<string, string>;
  /** Images that are not in Docker's format. */
  formats?: Record<string, ManifestFormat>;
}

export type ManifestFormat = 'docker' | 'oci';

export interface ImageStore {
  all(): Image[];
  get(id: string): Image | undefined;
  config(id: string): ImageConfig;
  /** The configuration's own bytes, whose hash is the id. */
  configText(id: string): string;
  sizeBytes(id: string): number;
  taggedAt(id: string): string | undefined;
  /** By id, unique prefix of one, or name. */
  find(text: string): Image | undefined;
  /** Adds a configuration together with those of its layers that are not in the store yet. Returns the id. */
  add(configText: string, staged: readonly StagedLayer[], format?: ManifestFormat): Promise<string>;
  /** Of the manifest that the image came with, and is pushed with. */
  format(id: string): ManifestFormat;
  /** Points a name at an image; returns the id that it pointed at before. `also`: more names for it, in the same step. */
  name(canonical: string, id: string, now: string, also?: readonly string[]): Promise<string | undefined>;
  unname(canonical: string): Promise<void>;
  /** Removes the configuration and its names; layers go by `collect`. */
  remove(id: string): Promise<void>;
  /** Keeps layers that no image has yet from `collect`, over restarts too, until they are released. */
  hold(key: string, diffIds: readonly string[], nowMs: number): Promise<void>;
  held(): ReadonlySet<string>;
  /** Ends holds: `over` is asked for each. */
  release(over: (key: string, heldSinceMs: number) => boolean): Promise<void>;
  /** Keeps layers from `collect` while they are read; the result lets them go. For the life of this process alone. */
  pin(diffIds: readonly string[]): () => void;
  /** Images that cannot be used because layers of theirs are gone. */
  broken(): { id: string; lacks: string[]; names: string[] }[];
  /** Names whose image is gone altogether. */
  lostNames(): string[];
  /** Layers that `collect` would remove. */
  orphans(used: ReadonlySet<string>): string[];
  /** Removes layers that no image has and that are neither held, pinned nor in `used`. Returns their number. */
  collect(used: ReadonlySet<string>): Promise<number>;
}

export function openImageStore(files: Files, paths: Paths, layers: LayerStore, onDamage: OnDamage): ImageStore {
  const namesFile = `${paths.images}/names.json`;
  const document = readNames(files, paths, namesFile, onDamage);
  const images = new Map<string, readonly string[]>();
  /** Images that lack layers, and all of theirs. */
  const incomplete = new Map<string, readonly string[]>();
  const queue = createQueue();
  const pins = new Set<readonly string[]>();
  const holds = readHolds(files, paths, onDamage);
  const configFile = (id: string): string => `${paths.images}/${id.slice('sha256:'.length)}.json`;

  for (const { name } of files.readdir(paths.images)) {
    const match = /^([0-9a-f]{64})\.json$/.exec(name);
    if (match === null) continue;
    const path = `${paths.images}/${name}`;
    try {
      const text = files.readText(path);
      if (sha256(text) !== match[1]) throw new EngineError('internal', 'STORE_DAMAGED', 'its content does not have the hash that is its name');
      const config = parseImageConfig(text);
      if (config.rootfs.diff_ids.every((diffId) => layers.get(diffId) !== undefined)) images.set(`sha256:${match[1]}`, config.rootfs.diff_ids);
      else {
        incomplete.set(`sha256:${match[1]}`, config.rootfs.diff_ids);
        onDamage(path, new EngineError('internal', 'LAYER_MISSING', 'a layer of this image is missing; load or pull it again'));
      }
    } catch (error) {
      onDamage(path, error);
      setAside(files, paths.dataRoot, path);
    }
  }

  const saveNames = (): Promise<void> => writeDocument(files, namesFile, document);
  const view = (id: string, diffIds: readonly string[]): Image => ({
    id,
    diffIds,
    names: Object.entries(document.names)
      .filter(([, target]) => target === id)
      .map(([name]) => name)
      .sort(),
  });
  const get = (id: string): Image | undefined => {
    const diffIds = images.get(id);
    return diffIds === undefined ? undefined : view(id, diffIds);
  };

  const orphans = (used: ReadonlySet<string>): string[] => {
    const wanted = new Set([...used, ...holds.layers(), ...[...pins].flat()]);
    for (const diffIds of images.values()) for (const diffId of diffIds) wanted.add(diffId);
    return layers.all().map(({ diffId }) => diffId).filter((diffId) => !wanted.has(diffId));
  };

  return {
    all: () => [...images].map(([id, diffIds]) => view(id, diffIds)),
    get,
    config: (id) => parseImageConfig(files.readText(configFile(id))),
    configText: (id) => files.readText(configFile(id)),
    sizeBytes: (id) => (images.get(id) ?? []).reduce((sum, diffId) => sum + (layers.get(diffId)?.sizeBytes ?? 0), 0),
    taggedAt: (id) => document.taggedAt[id],
    find(text) {
      const digits = text.startsWith('sha256:') ? text.slice('sha256:'.length) : text;
      if (/^[0-9a-f]{64}$/.test(digits)) return get(`sha256:${digits}`);
      const named = findByName(document.names, text);
      if (named !== undefined) return get(named);
      if (!/^[0-9a-f]{2,63}$/.test(digits)) return undefined;
      const matches = [...images.keys()].filter((id) => id.startsWith(`sha256:${digits}`));
      if (matches.length > 1) throw new EngineError('invalid', 'IMAGE_ID_AMBIGUOUS', `ambiguous image id prefix ${text}`);
      return matches[0] === undefined ? undefined : get(matches[0]);
    },
    format: (id) => document.formats?.[id] ?? 'docker',
    add: (configText, staged, format = 'docker') =>
      queue(async () => {
        const config = parseImageConfig(configText);
        const id = `sha256:${sha256(configText)}`;
        // In the same turn of the queue, so that no collection takes the layers for orphans in between.
        await layers.commit(staged);
        for (const diffId of config.rootfs.diff_ids) {
          if (layers.get(diffId) === undefined) throw new EngineError('invalid', 'IMAGE_LAYER_MISSING', `layer ${diffId} of the image is missing`);
        }
        if (!images.has(id)) {
          await files.replaceFile(configFile(id), configText, 0o600);
          images.set(id, config.rootfs.diff_ids);
          incomplete.delete(id);
          if (format !== 'docker') {
            document.formats = { ...document.formats, [id]: format };
            await saveNames();
          }
        }
        return id;
      }),
    name: (canonical, id, now, also = []) =>
      queue(async () => {
        const before = document.names[canonical];
        for (const name of [canonical, ...also]) document.names[name] = id;
        document.taggedAt[id] = now;
        await saveNames();
        return before === id ? undefined : before;
      }),
    unname: (canonical) =>
      queue(async () => {
        delete document.names[canonical];
        await saveNames();
      }),
    remove: (id) =>
      queue(async () => {
        for (const [name, target] of Object.entries(document.names)) if (target === id) delete document.names[name];
        delete document.taggedAt[id];
        if (document.formats !== undefined) delete document.formats[id];
        await saveNames();
        images.delete(id);
        incomplete.delete(id);
        files.unlink(configFile(id));
        await files.syncDirectory(paths.images);
      }),
    hold: (key, diffIds, nowMs) => queue(() => holds.put(key, diffIds, nowMs)),
    held: () => holds.layers(),
    release: (over) => queue(() => holds.end(over)),
    pin(diffIds) {
      const pin = [...diffIds];
      pins.add(pin);
      return () => pins.delete(pin);
    },
    broken: () => [...incomplete].map(([id, diffIds]) => ({ id, lacks: diffIds.filter((diffId) => layers.get(diffId) === undefined), names: view(id, diffIds).names.slice() })),
    lostNames: () => Object.entries(document.names).filter(([, id]) => !images.has(id) && !incomplete.has(id)).map(([name]) => name),
    orphans,
    collect: (used) =>
      queue(async () => {
        const gone = orphans(used);
        for (const diffId of gone) await layers.remove(diffId);
        return gone.length;
      }),
  };
}

function readHolds(files: Files, paths: Paths, onDamage: OnDamage): Holds {
  const path = `${paths.images}/holds.json`;
  try {
    return openHolds(files, path);
  } catch (error) {
    onDamage(path, error);
    setAside(files, paths.dataRoot, path);
    return openHolds(files, path);
  }
}

function readNames(files: Files, paths: Paths, path: string, onDamage: OnDamage): NamesDocument {
  const empty = { names: {}, taggedAt: {} };
  if (!files.exists(path)) return empty;
  try {
    return readDocument<NamesDocument>(files, path);
  } catch (error) {
    onDamage(path, error);
    setAside(files, paths.dataRoot, path);
    return empty;
  }
}

function findByName(names: Record<string, string>, text: string): string | undefined {
  try {
    const reference = withDefaultTag(parseReference(text));
    return names[canonicalName(reference)] ?? (reference.digest === undefined ? undefined : names[canonicalName({ ...reference, tag: undefined })]);
  } catch {
    return undefined;
  }
}
