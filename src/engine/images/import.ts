import { EngineError } from '../error.ts';
import { TarError } from '../archive/index.ts';
import type { ByteSource } from '../ports/index.ts';
import type { ImageConfig, ImageRunConfig } from './image-config.ts';
import type { ImageStore } from './image-store.ts';
import type { LayerStore } from './layer-store.ts';

export interface ImportRequest {
  architecture: string;
  variant: string;
  message: string;
  /** ISO time. */
  created: string;
  config: ImageRunConfig;
}

/** Makes an image of one layer from the archive of a root file system; returns its id. */
export async function importRootfs(source: ByteSource, request: ImportRequest, layers: LayerStore, images: ImageStore): Promise<string> {
  let staged;
  try {
    staged = await layers.stage(source, 'apply');
  } catch (error) {
    if (error instanceof TarError) throw new EngineError('invalid', 'IMPORT_INVALID', `cannot import: ${error.message}`, { cause: error });
    throw error;
  }
  const config: ImageConfig = {
    created: request.created,
    architecture: request.architecture,
    ...(request.variant === '' ? {} : { variant: request.variant }),
    os: 'linux',
    config: request.config,
    rootfs: { type: 'layers', diff_ids: [staged.diffId] },
    history: [{ created: request.created, comment: request.message }],
  };
  return images.add(JSON.stringify(config), [staged]);
}
