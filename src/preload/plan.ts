import { createHash } from 'node:crypto';
import { basename, dirname } from 'node:path';

import type { AnyTask, Input, OutputRef, PreloadedImage, SourceFile } from '../model/index.ts';
import type { Applications } from './applications.ts';
import type { ResolvedImage } from './resolve.ts';

export interface PlannedPreload {
  tasks: AnyTask[];
  data: OutputRef;
  facts: OutputRef;
  images: PreloadedImage[];
}

export interface PreloadInputs {
  /** The engine for the build host. */
  engine: OutputRef;
  /** Tools tree with `preloadTools`. */
  tools: string;
  /** SHA-256 of local archives. */
  digests: ReadonlyMap<string, string>;
}

const paper = ({ reference, services, digest, id }: ResolvedImage): PreloadedImage => ({ reference, services, digest, id });

/** The tasks that make what a machine's data partition holds from the start. Pure. */
export function planPreload(machine: string, applications: Applications, resolved: readonly ResolvedImage[], { engine, tools, digests }: PreloadInputs): PlannedPreload {
  const tasks: AnyTask[] = [];
  const archives: Record<string, Input> = {};
  for (const image of resolved) {
    const name = `image-${image.id.slice('sha256:'.length, 'sha256:'.length + 16)}`;
    if ('archive' in image) {
      const files: SourceFile[] = [{ path: basename(image.archive), digest: digests.get(image.archive) ?? '', type: 'file' }];
      archives[name] = { from: 'sources', root: dirname(image.archive), files };
      continue;
    }
    const id = `preload/fetch/${createHash('sha256').update(`${image.reference} ${image.digest}`).digest('hex').slice(0, 16)}`;
    if (!tasks.some((task) => task.id === id)) tasks.push({ id, kind: 'preload/fetch', title: `image ${image.reference}`, args: { image: paper(image), registry: image.registry }, inputs: {}, result: 'files' });
    archives[name] = { from: 'task', task: id, output: 'image.tar' };
  }
  const store: AnyTask = {
    id: `preload/${machine}/store`,
    kind: 'preload/store',
    title: `applications of ${machine}`,
    args: { images: resolved.map(paper), archives: Object.keys(archives), compose: applications.compose },
    inputs: { engine: { from: 'task', ...engine }, pack: { from: 'tree', task: tools }, files: { from: 'sources', root: applications.folder, files: applications.files }, ...archives },
    result: 'files',
  };
  return { tasks: [...tasks, store], data: { task: store.id, output: 'data.tar' }, facts: { task: store.id, output: 'data.json' }, images: resolved.map(paper) };
}
