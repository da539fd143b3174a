import { sha256 } from 'host:crypto';
import type { Deltas } from '../delta/index.ts';
import { EngineError, messageOf } from '../error.ts';
import type { EventBus } from '../events/index.ts';
import {
  canonicalName, checkSpace, choosePlatform, familiarName, familiarRepository, formatPlatform, parseImageConfig, suits,
  type ImageConfig, type ImageStore, type LayerStore, type OtherRoot, type Platform, type Reference,
} from '../images/index.ts';
import { createCancellation, type Cancellation, type CancellationSource, type System } from '../ports/index.ts';
import { fetchDocument, login, openRepository, RegistryError, type Credentials, type Descriptor, type FetchedManifest, type ImageManifest, type RegistryContext, type RegistrySettings, type Repository } from '../registry/index.ts';
import { ENGINE_VERSION } from '../version.ts';
import { pullFailure, worthKeeping } from './failure.ts';
import { findDelta } from './find-delta.ts';
import { createLayerTransfers } from './layer-transfers.ts';
import { layerId, type Report } from './messages.ts';
import { unpackedAtLeast } from './unpacked-size.ts';

export interface PullRequest {
  /** Without tag and digest: all tags. */
  reference: Reference;
  /** Undefined: what this machine runs. */
  platform: Platform | undefined;
  credentials: Credentials;
  /** 'auto' (as when undefined): a delta to an image that is here when there is one, otherwise all. */
  delta?: DeltaMode;
}

export type DeltaMode = 'auto' | 'never' | 'require';

export interface Puller {
  /** Throws EngineError in Docker's words. */
  pull(request: PullRequest, report: Report, cancellation: Cancellation): Promise<void>;
  login(serverAddress: string, credentials: Credentials, cancellation: Cancellation): Promise<void>;
  /** Gives up what pulls that broke off have left, but not those that are under way. */
  forgetBroken(): Promise<void>;
}

export interface PullerOptions {
  system: System;
  settings: RegistrySettings;
  images: ImageStore;
  layers: LayerStore;
  events: EventBus;
  /** Where layers will lie. */
  dataRoot: string;
  /** Removes layers that nothing wants. */
  collect(): Promise<unknown>;
  deltas: Pick<Deltas, 'check' | 'unfold'>;
  /** Images there may be bases of deltas too. */
  otherRoot: Pick<OtherRoot, 'imageIds'>;
}

const INDEX_DEPTH_LIMIT = 3;
/** Layers have two to four times their compressed size. */
const USUAL_GROWTH_LIMIT = 10;
/** What a broken pull has brought is kept so long for the next. */
export const HOLD_MS = 7 * 24 * 3600 * 1000;

export function createPuller({ system, settings, images, layers, events, dataRoot, collect, deltas, otherRoot }: PullerOptions): Puller {
  const registry: RegistryContext = { system, settings, userAgent: `minke/${ENGINE_VERSION}` };
  const transfers = createLayerTransfers(layers, system.clock, system.reporter);
  const under = new Map<string, number>();

  /** On a full disk the hold's end can be written down only when its layers have gone. */
  const letGo = async (key: string): Promise<void> => {
    const over = (candidate: string): boolean => candidate === key && !under.has(key);
    await images.release(over).catch(() => undefined);
    await collect();
    await images.release(over);
  };

  /** Holds the layers while `action` runs, and afterwards when a later pull can use them. */
  const holding = async (key: string, diffIds: readonly string[], action: () => Promise<void>): Promise<void> => {
    under.set(key, (under.get(key) ?? 0) + 1);
    let keep = false;
    try {
      await images.hold(key, diffIds, system.clock.now());
      await action();
    } catch (error) {
      keep = worthKeeping(error);
      throw error;
    } finally {
      const others = (under.get(key) ?? 1) - 1;
      if (others > 0) under.set(key, others);
      else under.delete(key);
      if (others === 0 && !keep) await letGo(key);
    }
  };

  const bringLayers = async (repository: Repository, { layers: blobs }: ImageManifest, config: ImageConfig, report: Report, cancellation: CancellationSource): Promise<void> => {
    const { diff_ids: diffIds } = config.rootfs;
    const wanted = new Map<string, Descriptor>();
    for (const [index, blob] of blobs.entries()) {
      const diffId = diffIds[index] ?? '';
      const present = layers.get(diffId) !== undefined;
      report({ status: present ? 'Already exists' : 'Pulling fs layer', id: layerId(blob.digest), progressDetail: {} });
      if (!present) wanted.set(diffId, wanted.get(diffId) ?? blob);
    }
    await checkRoom(system, dataRoot, repository, [...wanted.values()], cancellation);
    let failure: unknown;
    await Promise.all(
      [...wanted].map(async ([diffId, blob]) => {
        try {
          await transfers.fetch({ blob, diffId, repository, cancellation, report });
        } catch (error) {
          // The first one tells what is wrong; the others end because of it.
          failure ??= error;
          cancellation.cancel();
        }
      }),
    );
    if (failure !== undefined) throw failure;
  };

  /** Brings the target by a delta; false when there is none that serves. */
  const byDelta = async (key: string, repository: Repository, reference: Reference, target: { id: string; digest: string }, manifest: ImageManifest, config: ImageConfig, mode: DeltaMode, report: Report, cancellation: CancellationSource): Promise<boolean> => {
    if (mode === 'never') return false;
    const wholeBytes = manifest.layers.reduce((sum, { sizeBytes }, index) => sum + (layers.get(config.rootfs.diff_ids[index] ?? '') === undefined ? sizeBytes : 0), 0);
    try {
      const found = wholeBytes === 0 ? undefined : await findDelta({ repository, reference, target, limitBytes: wholeBytes, images, otherRoot, cancellation, fetchConfig: (descriptor) => fetchDocument(repository, descriptor, system.clock, cancellation) });
      if (found === undefined) {
        if (mode === 'require' && wholeBytes > 0) throw new EngineError('not-found', 'DELTA_MISSING', `there is no delta to ${familiarName(reference)} from an image that is here`, { hint: 'pull without --delta=require' });
        return false;
      }
      deltas.check(found.config);
      report({ status: 'Pulling a delta' });
      const deltaId = `sha256:${sha256(found.configText)}`;
      if (images.get(deltaId) === undefined) {
        await images.hold(key, [...config.rootfs.diff_ids, ...found.config.rootfs.diff_ids], system.clock.now());
        await bringLayers(repository, found.manifest, found.config, report, cancellation);
        await images.add(found.configText, [], found.manifest.format);
      }
      return (await deltas.unfold(deltaId, (step) => report({ status: step }))) === target.id;
    } catch (error) {
      if (mode === 'require' || !(error instanceof EngineError) || !error.code.startsWith('DELTA_')) throw error;
      system.reporter.log('warn', 'a delta cannot be used', { image: familiarName(reference), error: error.message });
      report({ status: `The delta cannot be used: ${error.message}; pulling all` });
      return false;
    }
  };

  const pullOne = async (repository: Repository, { reference, platform, delta = 'auto' }: PullRequest, report: Report, cancellation: CancellationSource): Promise<void> => {
    const name = familiarName(reference);
    const ours: Platform = platform ?? { architecture: system.machine.architecture, variant: system.machine.architectureVariant };
    const top = await repository.manifest(reference.digest ?? reference.tag ?? '');
    report({ status: `Pulling from ${reference.path}`, id: reference.digest ?? reference.tag ?? '' });
    const { digest, manifest } = await resolveManifest(repository, top, ours, 0);
    const configText = await fetchDocument(repository, manifest.config, system.clock, cancellation);
    const config = parseImageConfig(configText);
    if (config.os !== 'linux') throw new EngineError('invalid', 'OS_UNSUPPORTED', `image operating system "${config.os}" cannot be used on this platform`);
    if (config.rootfs.diff_ids.length !== manifest.layers.length) {
      throw new EngineError('invalid', 'MANIFEST_INVALID', `the image has ${config.rootfs.diff_ids.length} diffIDs but ${manifest.layers.length} layers`);
    }
    const pulledId = `sha256:${sha256(configText)}`;
    deltas.check(config);
    const named = canonicalName(reference.digest === undefined ? reference : { ...reference, tag: undefined });
    const key = `${named} ${formatPlatform(ours)}`;
    if (images.get(pulledId) !== undefined) {
      // A daemon that was killed as soon as the image was there has left its hold, and perhaps a delta that has served.
      if (!under.has(key)) await letGo(key);
    } else {
      await holding(key, config.rootfs.diff_ids, async () => {
        if (await byDelta(key, repository, reference, { id: pulledId, digest }, manifest, config, delta, report, cancellation)) return;
        await bringLayers(repository, manifest, config, report, cancellation);
        await images.add(configText, [], manifest.format);
      });
    }
    const id = await deltas.unfold(pulledId, (step) => report({ status: step }));
    const news = images.find(named)?.id !== id;
    const byDigest = canonicalName({ ...reference, tag: undefined, digest: top.digest });
    await images.name(named, id, new Date(system.clock.now()).toISOString(), [byDigest]);
    report({ status: `Digest: ${top.digest}` });
    const actual: Platform = { architecture: config.architecture, variant: config.variant ?? '' };
    if (platform !== undefined && !suits(actual, platform)) {
      report({ status: `WARNING: image with reference ${name} was found but its platform (${formatPlatform(actual)}) does not match the specified platform (${formatPlatform(platform)})` });
    }
    report({ status: `Status: ${news ? 'Downloaded newer image' : 'Image is up to date'} for ${name}` });
    events.emit('image', 'pull', name, { ...config.config?.Labels, name: familiarRepository(reference) });
  };

  return {
    async pull(request, report, cancellation) {
      const { reference, credentials } = request;
      const own = createCancellation();
      const forget = cancellation.onCancel(() => own.cancel());
      let repository: Repository | undefined;
      try {
        repository = await openRepository(registry, reference, credentials, own);
        const all = reference.tag === undefined && reference.digest === undefined;
        const tags = all ? await repository.tags() : [reference.tag];
        for (const tag of tags) await pullOne(repository, { ...request, reference: { ...reference, tag } }, report, own);
      } catch (error) {
        system.reporter.log('info', 'a pull failed', { image: familiarName(reference), error: messageOf(error) });
        throw pullFailure(error, reference);
      } finally {
        forget();
        repository?.close();
      }
    },
    async login(serverAddress, credentials, cancellation) {
      try {
        await login(registry, serverAddress, credentials, cancellation);
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        throw new EngineError(error.status === 401 || error.status === 403 ? 'unauthorized' : 'internal', 'LOGIN_FAILED', error.message, { cause: error });
      }
    },
    async forgetBroken() {
      await images.release((key) => !under.has(key));
      await collect();
    },
  };
}

async function resolveManifest(repository: Repository, { digest, document }: FetchedManifest, platform: Platform, depth: number): Promise<{ digest: string; manifest: ImageManifest }> {
  if (document.kind === 'image') return { digest, manifest: document };
  if (depth >= INDEX_DEPTH_LIMIT) throw new EngineError('invalid', 'MANIFEST_INVALID', 'the registry’s indexes are nested too deeply');
  const choice = choosePlatform(document.manifests, platform);
  if (choice === undefined) throw new EngineError('not-found', 'PLATFORM_MISSING', `no matching manifest for ${formatPlatform(platform)} in the manifest list entries`);
  return resolveManifest(repository, await repository.manifest(choice.digest), platform, depth + 1);
}

/** Refuses what cannot fit. How large layers are unpacked is asked for only where that may decide. */
async function checkRoom({ files }: System, dataRoot: string, repository: Repository, blobs: readonly Descriptor[], cancellation: Cancellation): Promise<void> {
  const blobBytes = blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  checkSpace(files, dataRoot, blobBytes, `the image has ${Math.ceil(blobBytes / 1e6)} MB compressed`);
  if (blobBytes * USUAL_GROWTH_LIMIT <= files.space(dataRoot).availableBytes) return;
  let leastBytes = 0;
  for (const blob of blobs) leastBytes += await unpackedAtLeast(repository, blob, cancellation);
  checkSpace(files, dataRoot, leastBytes, `the image has at least ${Math.ceil(leastBytes / 1e6)} MB unpacked`);
}
