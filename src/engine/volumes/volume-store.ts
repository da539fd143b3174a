import { EngineError } from '../error.ts';
import type { Files } from '../ports/index.ts';
import { readDocument, writeDocument, type OnDamage, type Paths } from '../store/index.ts';

export interface Volume {
  name: string;
  created: string;
  labels: Record<string, string>;
  options: Record<string, string>;
  anonymous: boolean;
}

export interface VolumeStore {
  all(): Volume[];
  get(name: string): Volume | undefined;
  /** Where its content lies. */
  path(name: string): string;
  /** The one of this name, made if need be. */
  ensure(volume: Volume): Promise<{ volume: Volume; fresh: boolean }>;
  remove(name: string): Promise<void>;
}

export function openVolumeStore(files: Files, paths: Paths, onDamage: OnDamage): VolumeStore {
  const volumes = new Map<string, Volume>();
  for (const { name } of files.readdir(paths.volumes)) {
    const document = `${paths.volumes}/${name}/volume.json`;
    // The document is written last: a folder without one was being made when the power went.
    if (!files.exists(document)) continue;
    try {
      volumes.set(name, readDocument<Volume>(files, document));
    } catch (error) {
      // Its content is what matters, and that is there.
      onDamage(document, error);
      volumes.set(name, { name, created: '', labels: {}, options: {}, anonymous: false });
    }
  }
  const path = (name: string): string => `${paths.volumes}/${name}/_data`;
  return {
    all: () => [...volumes.values()],
    get: (name) => volumes.get(name),
    path,
    async ensure(volume) {
      const present = volumes.get(volume.name);
      if (present !== undefined) return { volume: present, fresh: false };
      volumes.set(volume.name, volume);
      try {
        files.mkdirs(path(volume.name), 0o755);
        files.chmod(`${paths.volumes}/${volume.name}`, 0o701);
        await writeDocument(files, `${paths.volumes}/${volume.name}/volume.json`, volume);
        await files.syncDirectory(paths.volumes);
      } catch (error) {
        volumes.delete(volume.name);
        throw error;
      }
      return { volume, fresh: true };
    },
    async remove(name) {
      if (!volumes.delete(name)) throw new EngineError('not-found', 'VOLUME_UNKNOWN', `get ${name}: no such volume`);
      files.unlink(`${paths.volumes}/${name}/volume.json`);
      await files.syncDirectory(`${paths.volumes}/${name}`);
      await files.removeTree(`${paths.volumes}/${name}`);
    },
  };
}
