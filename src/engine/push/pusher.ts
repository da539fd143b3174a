import { encode } from 'host:bytes';
import { sha256 } from 'host:crypto';
import { EngineError, messageOf } from '../error.ts';
import type { EventBus } from '../events/index.ts';
import { canonicalName, familiarName, familiarRepository, type Image, type ImageStore, type LayerStore, type Reference } from '../images/index.ts';
import { createCancellation, type Cancellation, type CancellationSource, type System } from '../ports/index.ts';
import { createLimiter, type PullMessage } from '../pull/index.ts';
import { addTaggedReferrer, findBlob, formatManifest, openRepository, putManifest, RegistryError, uploadBytes, type Credentials, type Descriptor, type PushedBlob, type Referring, type RegistrySettings, type Repository, type UploadOptions } from '../registry/index.ts';
import { taggedImages } from '../save/index.ts';
import { ENGINE_VERSION } from '../version.ts';
import { referringOf } from './delta-subject.ts';
import { pushFailure } from './failure.ts';
import { pushLayer, shortDiffId, sourcesIn } from './layer-pusher.ts';

export interface PushRequest {
  /** Without a tag: all tags of the repository. */
  reference: Reference;
  credentials: Credentials;
}

/** Progress, or what became of a tag. */
export type PushMessage = PullMessage | { progressDetail: object; aux: { Tag: string; Digest: string; Size: number } };

export interface Pusher {
  /** Throws EngineError in Docker's words. */
  push(request: PushRequest, report: (message: PushMessage) => void, cancellation: Cancellation): Promise<void>;
}

export interface PusherOptions {
  system: System;
  settings: RegistrySettings;
  images: ImageStore;
  layers: LayerStore;
  events: EventBus;
  /** Removes layers that nothing wants. */
  collect(): Promise<unknown>;
}

/** Of all pushes together: each layer is compressed while it is sent. */
const TRANSFERS_AT_A_TIME = 3;

export function createPusher({ system, settings, images, layers, events, collect }: PusherOptions): Pusher {
  const limit = createLimiter(TRANSFERS_AT_A_TIME);

  const pushLayers = async (repository: Repository, reference: Reference, image: Image, report: (message: PullMessage) => void, cancellation: CancellationSource): Promise<PushedBlob[]> => {
    const distinct = [...new Set(image.diffIds)].toReversed();
    for (const diffId of distinct) report({ status: 'Preparing', id: shortDiffId(diffId), progressDetail: {} });
    for (const diffId of distinct.slice(TRANSFERS_AT_A_TIME)) report({ status: 'Waiting', id: shortDiffId(diffId), progressDetail: {} });
    const pushed = new Map<string, PushedBlob>();
    let failure: unknown;
    await Promise.all(
      distinct.map((diffId) =>
        limit(async () => {
          if (cancellation.cancelled) return;
          try {
            const layer = { diffId, format: images.format(image.id), repository, domain: reference.domain, layers, clock: system.clock, cancellation, report };
            pushed.set(diffId, await pushLayer(layer));
          } catch (error) {
            // The first one tells what is wrong; the others end because of it.
            failure ??= error;
            cancellation.cancel();
          }
        }),
      ),
    );
    if (failure !== undefined) throw failure;
    return image.diffIds.map((diffId) => {
      const blob = pushed.get(diffId);
      if (blob === undefined) throw new RegistryError('CANCELLED', 'context canceled');
      return blob;
    });
  };

  const pushTag = async (repository: Repository, reference: Reference & { tag: string }, image: Image, report: (message: PushMessage) => void, cancellation: CancellationSource): Promise<void> => {
    const options = { clock: system.clock, cancellation, retrying: () => undefined };
    const blobs = await pushLayers(repository, reference, image, report, cancellation);
    const configBytes = encode(images.configText(image.id));
    const config = { digest: `sha256:${sha256(configBytes)}`, sizeBytes: configBytes.length };
    if ((await findBlob(repository, config.digest)) === undefined) await uploadBytes(repository, configBytes, options);
    const referring = await referringOf(repository, reference, image, images);
    const manifest = formatManifest(images.format(image.id), config, blobs, referring);
    const { digest, sizeBytes, noted } = await putManifest(repository, reference.tag, manifest, options);
    if (referring !== undefined && !noted) await list(repository, referring, { mediaType: manifest.mediaType, digest, sizeBytes }, options);
    report({ status: `${reference.tag}: digest: ${digest} size: ${sizeBytes}` });
    report({ progressDetail: {}, aux: { Tag: reference.tag, Digest: digest, Size: sizeBytes } });
    const taggedAt = images.taggedAt(image.id) ?? new Date(system.clock.now()).toISOString();
    await images.name(canonicalName({ ...reference, tag: undefined, digest }), image.id, taggedAt);
    events.emit('image', 'push', familiarName(reference), { name: familiarRepository(reference) });
  };

  /** For a registry that does not find referrers itself. Without it pulls find the delta by its own tag. */
  const list = async (repository: Repository, { artifactType, annotations, subject }: Referring, manifest: Pick<Descriptor, 'mediaType' | 'digest' | 'sizeBytes'>, options: UploadOptions): Promise<void> => {
    try {
      await addTaggedReferrer(repository, subject.digest, { ...manifest, artifactType, annotations }, options);
    } catch (error) {
      if (error instanceof RegistryError && error.code === 'CANCELLED') throw error;
      system.reporter.log('warn', 'a delta could not be listed with its target', { repository: repository.name, error: messageOf(error) });
    }
  };

  return {
    async push({ reference, credentials }, report, cancellation) {
      report({ status: `The push refers to repository [${reference.domain}/${reference.path}]` });
      const all = taggedImages(reference, images);
      if (all.length === 0) throw new EngineError('not-found', 'IMAGE_UNKNOWN', `An image does not exist locally with the tag: ${familiarRepository(reference)}`);
      const tagged = all.filter(({ tag }) => reference.tag === undefined || reference.tag === tag);
      if (tagged.length === 0) throw new EngineError('not-found', 'IMAGE_UNKNOWN', `tag does not exist: ${familiarName(reference)}`);
      const diffIds = [...new Set(tagged.flatMap(({ image }) => image.diffIds))];
      const own = createCancellation();
      const forget = cancellation.onCancel(() => own.cancel());
      const unpin = images.pin(diffIds);
      let repository: Repository | undefined;
      try {
        const pushFrom = sourcesIn(reference.domain, layers, diffIds).filter((path) => path !== reference.path);
        repository = await openRepository({ system, settings, userAgent: `minke/${ENGINE_VERSION}` }, reference, credentials, own, { pushFrom });
        await repository.ping();
        for (const { image, tag } of tagged) await pushTag(repository, { ...reference, tag }, image, report, own);
      } catch (error) {
        system.reporter.log('info', 'a push failed', { image: familiarName(reference), error: messageOf(error) });
        throw pushFailure(error, reference);
      } finally {
        forget();
        unpin();
        repository?.close();
        // Removed while it was being pushed.
        if (tagged.some(({ image }) => images.get(image.id) === undefined)) await collect();
      }
    },
  };
}
