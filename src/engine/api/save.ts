import { usedLayers } from '../containers/index.ts';
import { EngineError } from '../error.ts';
import { planSave, saveArchive, selectImages } from '../save/index.ts';
import type { ApiContext } from './context.ts';
import { param, type ApiRequest } from './request.ts';

/** GET /images/get?names=… */
export function saveImages(context: ApiContext, request: ApiRequest): Promise<void> {
  return save(context, request, request.query.all('names'));
}

/** GET /images/{name}/get */
export function saveImage(context: ApiContext, request: ApiRequest): Promise<void> {
  return save(context, request, [param(request, 'name')]);
}

async function save({ containers }: ApiContext, { exchange }: ApiRequest, names: readonly string[]): Promise<void> {
  const { images, layers, events } = containers;
  if (names.length === 0) throw new EngineError('invalid', 'NAMES_MISSING', 'no image is named');
  const selections = selectImages(names, images);
  // What cannot be saved is known before the first byte has gone out.
  const plan = planSave(selections, (id) => images.configText(id), (diffId) => layers.tar(diffId).sizeBytes);
  const unpin = images.pin(plan.diffIds);
  try {
    const stream = await exchange.stream(200, { 'Content-Type': 'application/x-tar' });
    await saveArchive(plan, layers, stream);
    await stream.end();
    for (const { image } of selections) events.emit('image', 'save', image.id, { name: image.id });
  } finally {
    unpin();
    // Removed while it was being saved.
    if (selections.some(({ image }) => images.get(image.id) === undefined)) await images.collect(usedLayers(containers));
  }
}
