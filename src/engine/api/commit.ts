import { commitContainer, mergeImage, parseCreateRequest, type ContainerConfig } from '../containers/index.ts';
import { EngineError } from '../error.ts';
import { canonicalName, familiarName, parseReference, withDefaultTag, type ImageRunConfig } from '../images/index.ts';
import type { ApiContext } from './context.ts';
import { applyChanges } from './images.ts';
import { readJson, sendJson, type ApiRequest } from './request.ts';

/** POST /commit: the container is in the query, a configuration that goes over the container's own in the body. */
export async function commit({ containers, builder }: ApiContext, request: ApiRequest): Promise<void> {
  const { query } = request;
  const { collection, images, events, system } = containers;
  const container = collection.find(query.get('container') ?? '');
  const repository = query.get('repo') ?? '';
  const tag = query.get('tag') ?? '';
  const reference = repository === '' ? undefined : withDefaultTag(parseReference(tag === '' ? repository : `${repository}:${tag}`));
  if (reference?.digest !== undefined) throw new EngineError('invalid', 'REFERENCE_INVALID', 'refusing to create a tag with a digest reference');
  const body = (await readJson(request)) ?? {};
  const config = applyChanges(query.all('changes'), imagePart(mergeImage(parseCreateRequest(body).config, container.record.config)));
  const id = await commitContainer(containers, container, { config, comment: query.get('comment') ?? '', author: query.get('author') ?? '', pause: !/^(0|false)$/i.test(query.get('pause') ?? '') });
  await builder.steps.put(id, images.get(container.record.imageId) === undefined ? '' : container.record.imageId, `commit ${id}`);
  await builder.steps.finish(id);
  if (reference !== undefined) {
    await images.name(canonicalName(reference), id, new Date(system.clock.now()).toISOString());
    events.emit('image', 'tag', id, { name: familiarName(reference) });
  }
  await sendJson(request, 201, { Id: id });
}

/** What of a container's configuration its image keeps: nothing that is of this one container. */
function imagePart({ User, ExposedPorts, Env, Entrypoint, Cmd, Volumes, WorkingDir, Labels, StopSignal, Shell, Healthcheck, OnBuild }: ContainerConfig): ImageRunConfig {
  return {
    User, Env, Entrypoint, Cmd, Volumes, WorkingDir, Labels, OnBuild,
    ...(ExposedPorts === undefined ? {} : { ExposedPorts }), ...(StopSignal === undefined ? {} : { StopSignal }), ...(Shell === undefined ? {} : { Shell }), ...(Healthcheck === undefined ? {} : { Healthcheck }),
  };
}
