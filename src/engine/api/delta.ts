import { deltaTag } from '../delta/delta-image.ts';
import { EngineError } from '../error.ts';
import { canonicalName, parseReference, type Image } from '../images/index.ts';
import type { ApiContext } from './context.ts';
import { createMessageStream } from './message-stream.ts';
import type { ApiRequest } from './request.ts';
import { errorAnswer } from './status.ts';

/** POST /images/delta?src=…&dest=…&t=…: progress, then the new image's id. A name without a tag gets the one by which pulls find the delta. */
export async function createDelta({ containers: { images, events, system }, deltas }: ApiContext, { query, exchange }: ApiRequest): Promise<void> {
  const find = (parameter: string): Image => {
    const name = query.get(parameter) ?? '';
    const image = name === '' ? undefined : images.find(name);
    if (name === '') throw new EngineError('invalid', 'DELTA_IMAGES', `${parameter} does not name an image`);
    if (image === undefined) throw new EngineError('not-found', 'IMAGE_UNKNOWN', `No such image: ${name}`);
    return image;
  };
  const source = find('src');
  const target = find('dest');
  const names = query.all('t').filter((name) => name !== '').map(parseReference).map((name) => (name.tag === undefined ? { ...name, tag: deltaTag(source.id, target.id) } : name));
  const messages = createMessageStream(() => exchange.stream(200, { 'Content-Type': 'application/json' }));
  try {
    const { id, sizeBytes } = await deltas.create(source, target, (status) => messages.send({ status }), exchange.gone);
    for (const name of names) await images.name(canonicalName(name), id, new Date(system.clock.now()).toISOString());
    events.emit('image', 'delta', id, { name: id });
    messages.send({ status: `Delta size: ${sizeBytes} bytes` });
    messages.send({ status: `Created delta: ${id}` });
  } catch (error) {
    if (!messages.started) throw error;
    const { message } = errorAnswer(error);
    messages.send({ errorDetail: { message }, error: message });
  }
  await messages.end();
}
