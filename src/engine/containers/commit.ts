import type { ImageConfig, ImageRunConfig, StagedLayer } from '../images/index.ts';
import type { ByteSource } from '../ports/index.ts';
import type { Container } from './collection.ts';
import { emit, nowIso, type ContainerContext } from './context.ts';
import { upperArchive } from './upper-archive.ts';

export interface CommitRequest {
  config: ImageRunConfig;
  comment: string;
  author: string;
  /** Programs stand still meanwhile. */
  pause: boolean;
}

/** Makes an image of the container's image and of what the container changed; returns its id. Volumes are no part of it. */
export function commitContainer(context: ContainerContext, container: Container, request: CommitRequest): Promise<string> {
  return container.queue(async () => {
    const { runtime, images, system } = context;
    const { record, id } = container;
    const pause = request.pause && record.state.status === 'running';
    if (pause) await runtime.pause(id);
    let staged: StagedLayer;
    try {
      staged = await stageUpper(context, container);
    } finally {
      if (pause) await runtime.resume(id);
    }
    const imageId = await images.add(JSON.stringify(imageConfig(context, container, request, staged.diffId)), [staged]);
    system.reporter.log('debug', 'a container became an image', { container: id, image: imageId });
    emit(context, container, 'commit', { comment: request.comment, imageID: imageId });
    return imageId;
  });
}

/** What a container changed, as a layer; it must not run, or stand still. */
export async function stageUpper({ system, layers, collection }: ContainerContext, { id }: Container): Promise<StagedLayer> {
  const upper = system.files.openRoot(`${collection.folder(id)}/upper`);
  const parts = upperArchive(system.files, upper);
  try {
    return await layers.stage(sourceOf(parts), 'overlay');
  } finally {
    // After a failure it may be in the middle of a file.
    await parts.return(undefined);
    upper.close();
  }
}

function sourceOf(parts: AsyncGenerator<Uint8Array>): ByteSource {
  return {
    async read() {
      const { value, done } = await parts.next();
      return done === true ? null : value;
    },
  };
}

function imageConfig(context: ContainerContext, { record, id }: Container, { config, comment, author }: CommitRequest, diffId: string): ImageConfig {
  const { images, system } = context;
  const created = nowIso(context);
  // The image may have been removed by force; its layers are still there.
  const base = images.get(record.imageId) === undefined ? undefined : images.config(record.imageId);
  const variant = base?.variant ?? system.machine.architectureVariant;
  const note = { ...(author === '' ? {} : { author }), ...(comment === '' ? {} : { comment }) };
  const before = base?.history ?? record.diffIds.map(() => ({}));
  return {
    created, ...note, architecture: base?.architecture ?? system.machine.architecture, ...(variant === '' ? {} : { variant }), os: 'linux', container: id, config,
    rootfs: { type: 'layers', diff_ids: [...record.diffIds, diffId] },
    history: [...before, { created, created_by: record.argv.join(' '), ...note }],
  };
}
