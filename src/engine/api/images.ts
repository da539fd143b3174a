import { usedLayers, createFields } from '../containers/index.ts';
import { EngineError } from '../error.ts';
import {
  canonicalName, familiarName, importRootfs, loadArchive, parseReference, withDefaultTag, type Image, type ImageRunConfig,
} from '../images/index.ts';
import type { ResponseStream } from '../http/index.ts';
import type { ApiContext } from './context.ts';
import { imageHistory, imageInspect, imageSummary, tagsOf } from './image-views.ts';
import { pullImage } from './pull.ts';
import { param, parseFilters, sendEmpty, sendJson, type ApiRequest } from './request.ts';
import { errorAnswer } from './status.ts';

const LIST_FILTERS = ['before', 'dangling', 'label', 'reference', 'since', 'until'];

function findImage({ containers }: ApiContext, name: string): Image {
  const image = containers.images.find(name);
  if (image === undefined) throw new EngineError('not-found', 'IMAGE_UNKNOWN', `No such image: ${name}`);
  return image;
}

export async function list(context: ApiContext, request: ApiRequest): Promise<void> {
  const filters = parseFilters(request, LIST_FILTERS);
  const labels = filters.get('label') ?? [];
  const references = filters.get('reference') ?? [];
  const dangling = filters.get('dangling')?.[0];
  const all = request.query.flag('all');
  const images = context.containers.images.all().filter((image) => {
    if (!all && context.builder.steps.isStep(image)) return false;
    if (dangling !== undefined && (tagsOf(image).length === 0) !== (dangling === 'true' || dangling === '1')) return false;
    if (references.length > 0 && !references.some((pattern) => image.names.some((name) => matchesReference(name, pattern)))) return false;
    if (labels.length === 0) return true;
    const own = context.containers.images.config(image.id).config?.Labels ?? {};
    return labels.every((label) => {
      const [key = '', value] = label.split('=', 2);
      return own[key] !== undefined && (value === undefined || own[key] === value);
    });
  });
  const summaries = images.map((image) => imageSummary(context, image));
  await sendJson(request, 200, summaries.sort((a, b) => Number(b['Created']) - Number(a['Created'])));
}

/** A glob over the familiar name, with or without its tag. */
function matchesReference(canonical: string, pattern: string): boolean {
  const reference = parseReference(canonical);
  const expression = new RegExp(`^${pattern.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*').replaceAll('?', '[^/]')}$`);
  return expression.test(familiarName(reference)) || expression.test(familiarName({ ...reference, tag: undefined, digest: undefined }));
}

export async function inspect(context: ApiContext, request: ApiRequest): Promise<void> {
  await sendJson(request, 200, imageInspect(context, findImage(context, param(request, 'name'))));
}

export async function history(context: ApiContext, request: ApiRequest): Promise<void> {
  await sendJson(request, 200, imageHistory(context, findImage(context, param(request, 'name'))));
}

export async function load({ containers, deltas }: ApiContext, request: ApiRequest): Promise<void> {
  const { layers, images, system, events } = containers;
  const { architecture, architectureVariant: variant } = system.machine;
  const open = () => request.exchange.stream(200, { 'Content-Type': 'application/json' });
  let stream: ResponseStream | undefined;
  try {
    const loaded = await loadArchive(request.exchange.body, { layers, images, platform: { architecture, variant }, now: () => new Date(system.clock.now()).toISOString(), unfold: (id) => deltas.unfold(id) });
    stream = await open();
    for (const { id, names, displaced } of loaded) {
      for (const { name, id: before } of displaced) await stream.write(progress(`The image ${name} already exists, renaming the old one with ID ${before} to empty string\n`));
      for (const name of names) await stream.write(progress(`Loaded image: ${name}\n`));
      if (names.length === 0) await stream.write(progress(`Loaded image ID: ${id}\n`));
      events.emit('image', 'load', id, { name: names[0] ?? id });
    }
  } catch (error) {
    // Clients expect what is wrong with an archive in the stream, not as a status.
    if (request.exchange.gone.cancelled) throw error;
    const { message, unexpected } = errorAnswer(error);
    if (unexpected) system.reporter.log('error', 'loading an archive failed', { error: message });
    stream ??= await open();
    await stream.write(`${JSON.stringify({ errorDetail: { message }, error: message })}\r\n`);
  }
  await stream.end();
}

function progress(text: string): string {
  return `${JSON.stringify({ stream: text })}\r\n`;
}

/** POST /images/create: a pull, or the import of an archive in the body. */
export async function create(context: ApiContext, request: ApiRequest): Promise<void> {
  const { containers } = context;
  const { query, exchange } = request;
  if (query.get('fromImage')) return pullImage(context, request);
  const { layers, images, system, events } = containers;
  const from = query.get('fromSrc');
  if (from !== '-') {
    if (from === undefined) throw new EngineError('invalid', 'IMAGE_SOURCE', 'neither fromImage nor fromSrc says where the image comes from');
    throw new EngineError('not-implemented', 'IMPORT_UNSUPPORTED', 'importing from an address is not supported by this version of the engine', { hint: 'fetch the archive and use docker import -' });
  }
  const created = new Date(system.clock.now()).toISOString();
  const repository = query.get('repo') ?? '';
  const tag = query.get('tag') ?? '';
  const reference = repository === '' ? undefined : withDefaultTag(parseReference(tag === '' ? repository : `${repository}:${tag}`));
  const config = applyChanges(query.all('changes'));
  const id = await importRootfs(exchange.body, {
    architecture: system.machine.architecture, variant: system.machine.architectureVariant, message: query.get('message') ?? '', created, config,
  }, layers, images);
  if (reference !== undefined) await images.name(canonicalName(reference), id, created);
  events.emit('image', 'import', id, { name: reference === undefined ? id : familiarName(reference) });
  const stream = await exchange.stream(200, { 'Content-Type': 'application/json' });
  await stream.write(`${JSON.stringify({ status: id })}\r\n`);
  await stream.end();
}

/** `docker import --change`, `docker commit --change`: the Dockerfile instructions that set configuration and need no build. */
export function applyChanges(changes: readonly string[], base: ImageRunConfig = {}): ImageRunConfig {
  const config: ImageRunConfig = { ...base };
  let ownCommand = false;
  for (const change of changes) {
    const match = /^\s*([A-Za-z]+)\s+([^]*)$/.exec(change);
    const value = match?.[2]?.trim() ?? '';
    switch (match?.[1]?.toUpperCase()) {
      case 'CMD':
        config.Cmd = listOrShell(value);
        ownCommand = true;
        break;
      case 'ENTRYPOINT':
        config.Entrypoint = listOrShell(value);
        // The command that was there is meant for another program.
        if (!ownCommand) config.Cmd = null;
        break;
      case 'ENV': {
        const variable = value.includes('=') ? value : value.replace(/\s+/, '=');
        const name = `${variable.split('=', 1)[0] ?? ''}=`;
        config.Env = [...(config.Env ?? []).filter((other) => !other.startsWith(name)), variable];
        break;
      }
      case 'EXPOSE':
        config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(value.split(/\s+/).map((port) => [port.includes('/') ? port : `${port}/tcp`, {}])) };
        break;
      case 'LABEL': {
        const equals = value.indexOf('=');
        config.Labels = { ...config.Labels, [value.slice(0, equals)]: value.slice(equals + 1).replace(/^"(.*)"$/, '$1') };
        break;
      }
      case 'USER':
        config.User = value;
        break;
      case 'VOLUME':
        config.Volumes = { ...config.Volumes, ...Object.fromEntries((value.startsWith('[') ? listOrShell(value) : value.split(/\s+/)).map((path) => [path, {}])) };
        break;
      case 'WORKDIR':
        config.WorkingDir = value;
        break;
      case 'STOPSIGNAL':
        config.StopSignal = value;
        break;
      default:
        throw new EngineError('invalid', 'CHANGE_INVALID', `${JSON.stringify(change)} is not a change that can be made here`, { hint: 'CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER, VOLUME, WORKDIR and STOPSIGNAL are' });
    }
  }
  return config;
}

function listOrShell(value: string): string[] {
  if (value.startsWith('[')) {
    try {
      return createFields({ list: JSON.parse(value) as unknown }, 'change').texts('list') ?? [];
    } catch {
      // Docker too takes a malformed list for a shell command.
    }
  }
  return ['/bin/sh', '-c', value];
}

export async function tag(context: ApiContext, request: ApiRequest): Promise<void> {
  const { images, system, events } = context.containers;
  const image = findImage(context, param(request, 'name'));
  const tagName = request.query.get('tag') ?? '';
  const reference = withDefaultTag(parseReference(tagName === '' ? (request.query.get('repo') ?? '') : `${request.query.get('repo') ?? ''}:${tagName}`));
  if (reference.digest !== undefined) throw new EngineError('invalid', 'REFERENCE_INVALID', 'refusing to create a tag with a digest reference');
  await images.name(canonicalName(reference), image.id, new Date(system.clock.now()).toISOString());
  events.emit('image', 'tag', image.id, { name: familiarName(reference) });
  await sendEmpty(request, 201);
}

export async function remove(context: ApiContext, request: ApiRequest): Promise<void> {
  const name = param(request, 'name');
  await sendJson(request, 200, await removeImage(context, findImage(context, name), name, request.query.flag('force'), !request.query.flag('noprune')));
}

async function removeImage(context: ApiContext, image: Image, asked: string, force: boolean, withSteps = true): Promise<Record<string, string>[]> {
  const { images, collection, events } = context.containers;
  const named = image.names.find((name) => matchesName(name, asked));
  const untag = async (name: string): Promise<Record<string, string>> => {
    await images.unname(name);
    const shown = familiarName(parseReference(name));
    events.emit('image', 'untag', image.id, { name: shown });
    return { Untagged: shown };
  };
  if (named === undefined) {
    if (!isSingle(image) && image.names.length > 0 && !force) {
      throw new EngineError('conflict', 'IMAGE_HAS_NAMES', `conflict: unable to delete ${image.id.slice(7, 19)} (must be forced) - image is referenced in multiple repositories`);
    }
  } else if (!isSingle(image) || (named.includes('@') && image.names.length > 1)) return untagOne(image, named, untag);
  const users = collection.all().filter(({ record }) => record.imageId === image.id);
  const running = users.find(({ record }) => record.state.pid > 0);
  const short = named === undefined ? image.id.slice(7, 19) : familiarName(parseReference(named));
  if (running !== undefined) {
    throw new EngineError('conflict', 'IMAGE_IN_USE', `conflict: unable to ${named === undefined ? 'delete' : 'remove repository reference'} "${short}" (cannot be forced) - container ${running.id.slice(0, 12)} is using its referenced image ${image.id.slice(7, 19)}`);
  }
  if (users[0] !== undefined && !force) {
    throw new EngineError('conflict', 'IMAGE_IN_USE', `conflict: unable to ${named === undefined ? 'delete' : 'remove repository reference'} "${short}" (must force) - container ${users[0].id.slice(0, 12)} is using its referenced image ${image.id.slice(7, 19)}`);
  }
  const steps: Record<string, string>[] = [];
  for (const name of image.names) steps.push(await untag(name));
  for (const id of [image.id, ...(withSteps ? orphanedSteps(context, image.id) : [])]) {
    await images.remove(id);
    events.emit('image', 'delete', id, { name: id });
    steps.push({ Deleted: id });
  }
  await images.collect(usedLayers(context.containers));
  return steps;
}

/** Steps of builds that nothing is made of once this image has gone. */
function orphanedSteps({ builder, containers: { images, collection } }: ApiContext, imageId: string): string[] {
  const orphans: string[] = [];
  let child = imageId;
  for (const id of builder.steps.lineage(imageId).slice(1)) {
    const image = images.get(id);
    const wanted = image === undefined || !builder.steps.isStep(image) || builder.isHeld(id) || builder.steps.children(id).some((other) => other !== child) || collection.all().some(({ record }) => record.imageId === id);
    if (wanted) break;
    orphans.push(id);
    child = id;
  }
  return orphans;
}

/** One repository, one tag at most: who removes that name means the image. */
function isSingle(image: Image): boolean {
  const references = image.names.map(parseReference);
  return new Set(references.map(({ domain, path }) => `${domain}/${path}`)).size === 1 && references.filter(({ tag }) => tag !== undefined).length <= 1;
}

/** The digests under which a repository gave the image go with its last tag. */
async function untagOne(image: Image, name: string, untag: (name: string) => Promise<Record<string, string>>): Promise<Record<string, string>[]> {
  const { domain, path, tag } = parseReference(name);
  const siblings = image.names.filter((other) => other !== name).map((other) => ({ other, reference: parseReference(other) })).filter(({ reference }) => reference.domain === domain && reference.path === path);
  const steps = [await untag(name)];
  if (tag === undefined || siblings.some(({ reference }) => reference.tag !== undefined)) return steps;
  for (const { other } of siblings) steps.push(await untag(other));
  return steps;
}

function matchesName(canonical: string, asked: string): boolean {
  try {
    return canonicalName(withDefaultTag(parseReference(asked))) === canonical;
  } catch {
    return false;
  }
}

export async function prune(context: ApiContext, request: ApiRequest): Promise<void> {
  const filters = parseFilters(request, ['dangling', 'label', 'label!', 'until']);
  const onlyDangling = !['false', '0'].includes(filters.get('dangling')?.[0] ?? 'true');
  const { images, collection } = context.containers;
  const atFirst = layerBytes(context);
  await context.puller.forgetBroken();
  let reclaimed = atFirst - layerBytes(context);
  const used = new Set(collection.all().map(({ record }) => record.imageId));
  const deleted: Record<string, string>[] = [];
  for (const image of images.all()) {
    // Steps of builds go with the images that were made of them.
    if (images.get(image.id) === undefined || context.builder.steps.isStep(image) || used.has(image.id) || (onlyDangling && tagsOf(image).length > 0)) continue;
    const before = layerBytes(context);
    deleted.push(...(await removeImage(context, image, image.id, true)));
    reclaimed += before - layerBytes(context);
  }
  await sendJson(request, 200, { ImagesDeleted: deleted, SpaceReclaimed: reclaimed });
}

function layerBytes({ containers }: ApiContext): number {
  return containers.layers.all().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
