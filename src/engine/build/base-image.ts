import { canonicalName, familiarName, formatPlatform, parsePlatform, parseReference, suits, withDefaultTag, type Image, type Platform } from '../images/index.ts';
import type { StageBase } from './plan.ts';
import type { BuildSession } from './session.ts';
import { scratchState, withPath, type StageState } from './stage-state.ts';

/** What a stage begins with. Pulls the image when it is not here, or when `fresh`. */
export async function findBase(session: BuildSession, base: StageBase, platformText: string, done: ReadonlyMap<number, StageState>, fresh: boolean): Promise<StageState> {
  const { machine } = session.containers.system;
  const own: Platform = session.request.platform ?? { architecture: machine.architecture, variant: machine.architectureVariant };
  if (base.kind === 'scratch') return scratchState(platformText === '' ? own : parsePlatform(platformText));
  if (base.kind === 'stage') {
    const state = done.get(base.index);
    if (state === undefined) throw new Error(`stage ${base.index} has not been built`);
    return { ...state, args: new Map(), ownCommand: false };
  }
  const wanted = platformText === '' ? session.request.platform : parsePlatform(platformText);
  const { images } = session.containers;
  const present = fresh ? undefined : findLocal(session, base.name, wanted);
  const image = present ?? (await pull(session, base.name, wanted));
  session.using.add(image.id);
  const config = images.config(image.id);
  return withPath({
    imageId: image.id, diffIds: image.diffIds, config: config.config ?? {}, history: config.history ?? image.diffIds.map(() => ({})),
    platform: { architecture: config.architecture, variant: config.variant ?? '' }, author: '', args: new Map(), ownCommand: false,
  });
}

function findLocal({ containers }: BuildSession, name: string, wanted: Platform | undefined): Image | undefined {
  const image = containers.images.find(name);
  if (image === undefined || wanted === undefined) return image;
  const { architecture, variant = '' } = containers.images.config(image.id);
  return suits({ architecture, variant }, wanted) ? image : undefined;
}

async function pull(session: BuildSession, name: string, platform: Platform | undefined): Promise<Image> {
  const { puller, containers, request, output, gone } = session;
  const reference = withDefaultTag(parseReference(name));
  // It says for itself why it fails.
  await puller.pull({ reference, platform, credentials: request.credentials(reference.domain) }, (message) => output.progress(message), gone);
  const image = containers.images.find(canonicalName(reference)) ?? containers.images.find(name);
  if (image === undefined) throw new Error(`${familiarName(reference)} (${platform === undefined ? '' : formatPlatform(platform)}) was pulled and is not there`);
  return image;
}
