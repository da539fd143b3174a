import { TarError } from '../archive/index.ts';
import { EngineError, messageOf } from '../error.ts';
import type { LayerStore, StagedLayer } from '../images/index.ts';
import type { Cancellation, Clock, Reporter } from '../ports/index.ts';
import { openBlob, RegistryError, type BlobProgress, type Descriptor, type Repository } from '../registry/index.ts';
import { createQueue } from '../store/index.ts';
import { createAdmission } from './admission.ts';
import { layerId, transferring, type PullMessage, type Report } from './messages.ts';

export interface LayerRequest {
  blob: Descriptor;
  diffId: string;
  repository: Repository;
  cancellation: Cancellation;
  report: Report;
}

/** Brings layers into the store, each once however many pulls want it, and a few at a time. */
export interface LayerTransfers {
  /** Resolves when the layer is in the store for good. */
  fetch(request: LayerRequest): Promise<void>;
}

interface Transfer {
  /** Whether it came to a good end; never rejects. */
  done: Promise<boolean>;
  listeners: Set<(message: PullMessage) => void>;
}

/** A layer that arrives damaged may have been damaged on the way. */
const ATTEMPTS = 3;
const REPORT_INTERVAL_MS = 100;

export function createLayerTransfers(layers: LayerStore, clock: Clock, reporter: Reporter): LayerTransfers {
  const running = new Map<string, Transfer>();
  const admission = createAdmission(clock);
  const commit = createCommitter(layers);

  const bring = async (request: LayerRequest, say: (message: PullMessage) => void, received: (sizeBytes: number) => void): Promise<void> => {
    const id = layerId(request.blob.digest);
    for (let attempt = 1; ; attempt += 1) {
      try {
        const staged = await receive(layers, request, progressOf(id, request.blob.sizeBytes, clock, say, received));
        say({ status: 'Download complete', id, progressDetail: {} });
        await commit(staged);
        say({ status: 'Pull complete', id, progressDetail: {} });
        return;
      } catch (error) {
        if (attempt >= ATTEMPTS || !isDamage(error) || request.cancellation.cancelled) throw complaint(error, request.blob.digest);
        reporter.log('warn', 'a layer arrived damaged and is fetched again', { digest: request.blob.digest, error: messageOf(error) });
      }
    }
  };

  return {
    async fetch(request) {
      const id = layerId(request.blob.digest);
      const listener = (message: PullMessage): void => request.report({ ...message, id });
      for (let other = running.get(request.diffId); other !== undefined; other = running.get(request.diffId)) {
        other.listeners.add(listener);
        const end = request.cancellation.onCancel(() => other?.listeners.delete(listener));
        const good = await Promise.race([other.done, cancelled(request.cancellation)]);
        end();
        other.listeners.delete(listener);
        if (good === 'cancelled') throw new RegistryError('CANCELLED', 'context canceled');
        if (good) return;
      }
      if (layers.get(request.diffId) !== undefined) {
        request.report({ status: 'Already exists', id, progressDetail: {} });
        return;
      }
      const listeners = new Set([listener]);
      const say = (message: PullMessage): void => {
        for (const each of listeners) each(message);
      };
      const work = admission.run({ pull: request.cancellation, sizeBytes: request.blob.sizeBytes, cancellation: request.cancellation }, async (received) => {
        if (request.cancellation.cancelled) throw new RegistryError('CANCELLED', 'context canceled');
        await bring(request, say, received);
      });
      const transfer = { done: work.then(() => true, () => false), listeners };
      running.set(request.diffId, transfer);
      try {
        await work;
      } finally {
        running.delete(request.diffId);
      }
    },
  };
}

function cancelled(cancellation: Cancellation): Promise<'cancelled'> {
  return new Promise((resolve) => {
    cancellation.onCancel(() => resolve('cancelled'));
  });
}

async function receive(layers: LayerStore, { blob, diffId, repository, cancellation }: LayerRequest, progress: { progress: BlobProgress; clock: Clock }): Promise<StagedLayer> {
  const source = openBlob(repository, blob, { ...progress, cancellation });
  let staged: StagedLayer;
  try {
    staged = await layers.stage(source, 'overlay');
  } finally {
    source.close();
  }
  if (staged.blobDigest === blob.digest && staged.diffId === diffId) return { ...staged, repository: repository.name };
  await layers.discard(staged);
  if (staged.blobDigest !== blob.digest) throw new RegistryError('LAYER_DAMAGED', `filesystem layer verification failed for digest ${blob.digest}`);
  throw new EngineError('invalid', 'LAYER_DIGEST_MISMATCH', `layer ${blob.digest} does not have the content that the image names`, { hint: `expected ${diffId}, got ${staged.diffId}` });
}

function progressOf(id: string, totalBytes: number, clock: Clock, say: (message: PullMessage) => void, heard: (sizeBytes: number) => void): { progress: BlobProgress; clock: Clock } {
  let saidAt = Number.NEGATIVE_INFINITY;
  return {
    clock,
    progress: {
      received(sizeBytes) {
        heard(sizeBytes);
        const now = clock.monotonicMs();
        if (now - saidAt < REPORT_INTERVAL_MS) return;
        saidAt = now;
        say(transferring('Downloading', id, sizeBytes, totalBytes));
      },
      retrying(delayMs) {
        if (delayMs >= 1000) say({ status: `Retrying in ${Math.round(delayMs / 1000)} second${delayMs < 1500 ? '' : 's'}`, id, progressDetail: {} });
      },
    },
  };
}

/** What came is not what was sent, or what was sent cannot be read. */
function isDamage(error: unknown): boolean {
  return error instanceof TarError || ((error instanceof EngineError || error instanceof RegistryError) && error.code === 'LAYER_DAMAGED');
}

function complaint(error: unknown, digest: string): unknown {
  return error instanceof TarError ? new EngineError('invalid', 'LAYER_DAMAGED', `layer ${digest} is damaged: ${error.message}`, { cause: error }) : error;
}

/** Makes layers durable, all that are ready at once: each time costs a flush of the file system. */
function createCommitter(layers: LayerStore): (staged: StagedLayer) => Promise<void> {
  const queue = createQueue();
  let waiting: StagedLayer[] = [];
  let turn: Promise<void> = Promise.resolve();
  const commitAll = async (): Promise<void> => {
    const batch = waiting;
    waiting = [];
    try {
      await layers.commit(batch);
    } catch (error) {
      for (const layer of batch) await layers.discard(layer);
      throw error;
    }
  };
  return (staged) => {
    waiting.push(staged);
    // Whoever comes while the turn has not begun is part of it.
    if (waiting.length === 1) turn = queue(commitAll);
    return turn;
  };
}
