import { EngineError, systemErrorCode } from '../error.ts';
import type { LayerStore } from '../images/index.ts';
import type { Files } from '../ports/index.ts';
import type { Paths } from '../store/index.ts';

/** Overlay's options must fit in a page. */
const OPTION_LIMIT_BYTES = 4095;

export interface RootfsStore {
  /** Folder of a container's own layer, made with the container. */
  prepare(id: string): void;
  /** Mounts it unless it is; returns the path. */
  mount(id: string, diffIds: readonly string[]): string;
  unmount(id: string): void;
  path(id: string): string;
  /** Mount points of ours that exist, by container id. */
  mounted(): Set<string>;
}

export function createRootfsStore(files: Files, paths: Paths, layers: LayerStore): RootfsStore {
  const folder = (id: string): string => `${paths.containers}/${id}`;
  const path = (id: string): string => `${folder(id)}/rootfs`;
  const mounted = (): Set<string> => findMounts(files.readText('/proc/self/mountinfo'), paths.containers);

  return {
    path,
    mounted,
    prepare(id) {
      for (const name of ['rootfs', 'upper', 'work', 'empty']) files.mkdirs(`${folder(id)}/${name}`, 0o755);
    },
    mount(id, diffIds) {
      if (mounted().has(id)) return path(id);
      const options = overlayOptions(diffIds, folder(id), (diffId) => layers.get(diffId)?.folder);
      files.mount({ source: 'overlay', target: path(id), type: 'overlay', flags: [], data: options, from: paths.layers });
      return path(id);
    },
    unmount(id) {
      try {
        files.unmount(path(id), 'lazily');
      } catch (error) {
        const code = systemErrorCode(error);
        if (code !== 'EINVAL' && code !== 'ENOENT') throw error;
      }
    },
  };
}

/** Lower layers by names relative to layers/, top first. Throws when one is missing or the list is too long for the kernel. */
export function overlayOptions(diffIds: readonly string[], folder: string, layerFolder: (diffId: string) => string | undefined): string {
  // The kernel takes no folder twice. A layer that comes again (empty ones do) hides all that its first occurrence had.
  const lower = [...new Set(diffIds.toReversed())].toReversed().map((diffId) => {
    const name = layerFolder(diffId);
    if (name === undefined) throw new EngineError('internal', 'LAYER_MISSING', `layer ${diffId} is missing from the store`, { hint: 'load or pull the image again' });
    return `${name}/diff`;
  });
  const stack = lower.length === 0 ? [`${folder}/empty`] : lower.toReversed();
  const options = `lowerdir=${stack.join(':')},upperdir=${folder}/upper,workdir=${folder}/work`;
  if (options.length > OPTION_LIMIT_BYTES) throw new EngineError('internal', 'TOO_MANY_LAYERS', `an image of ${diffIds.length} layers is too deep for the kernel`, { hint: 'a shorter --data-root helps' });
  return options;
}

/** Ids of containers whose rootfs is a mount point. */
export function findMounts(mountinfo: string, containers: string): Set<string> {
  const found = new Set<string>();
  for (const line of mountinfo.split('\n')) {
    const target = line.split(' ')[4]?.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    if (target === undefined || !target.startsWith(`${containers}/`)) continue;
    const [id = '', rest] = target.slice(containers.length + 1).split('/');
    if (rest === 'rootfs') found.add(id);
  }
  return found;
}
