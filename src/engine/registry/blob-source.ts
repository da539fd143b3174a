import { text } from 'host:bytes';
import type { ByteSource, Cancellation, Clock } from '../ports/index.ts';
import type { Descriptor } from './manifest.ts';
import { errorFromAnswer, isTransient, RegistryError } from './registry-error.ts';
import type { Repository } from './repository.ts';
import { BLOB_RETRIES, checkCancelled, pause, retryDelayMs, type RetryPolicy } from './retry.ts';
import type { Reply } from './transport.ts';

export interface BlobProgress {
  /** Bytes given so far. */
  received(sizeBytes: number): void;
  retrying(delayMs: number): void;
}

interface BlobOptions {
  clock: Clock;
  cancellation: Cancellation;
  progress: BlobProgress;
  retries?: RetryPolicy;
}

const ERROR_LIMIT_BYTES = 64 * 1024;

/**
 * A blob's bytes, in order and just as many as its descriptor says; whoever reads them checks their hash. When the connection breaks
 * the next one goes on where it broke, for as long as something comes.
 */
export function openBlob(repository: Pick<Repository, 'blob'>, descriptor: Descriptor, options: BlobOptions): ByteSource & { close(): void } {
  const { clock, cancellation, progress, retries = BLOB_RETRIES } = options;
  const { digest, sizeBytes } = descriptor;
  let given = 0;
  let failures = 0;
  let reply: Reply | undefined;
  /** Bytes at the start of the present answer that have been given before. */
  let surplus = 0;

  const drop = (): void => {
    reply?.close();
    reply = undefined;
  };
  const next = async (): Promise<Uint8Array | null> => {
    if (reply === undefined) {
      const fresh = await repository.blob(digest, given);
      surplus = given - (await startOf(fresh, given));
      reply = fresh;
    }
    for (;;) {
      const part = await reply.body.read();
      if (part === null) {
        if (given < sizeBytes) throw new RegistryError('closed', `the registry ended ${digest} after ${given} of ${sizeBytes} bytes`);
        return null;
      }
      if (part.length <= surplus) {
        surplus -= part.length;
        continue;
      }
      const useful = surplus === 0 ? part : part.subarray(surplus);
      surplus = 0;
      given += useful.length;
      if (given > sizeBytes) throw new RegistryError('SIZE_INVALID', `the registry sends more of ${digest} than the ${sizeBytes} bytes that the manifest says`);
      return useful;
    }
  };

  return {
    close: drop,
    async read() {
      for (;;) {
        checkCancelled(cancellation);
        const redirected = reply?.redirected ?? false;
        try {
          const part = await next();
          failures = 0;
          if (part !== null) progress.received(given);
          return part;
        } catch (error) {
          drop();
          checkCancelled(cancellation);
          failures += 1;
          if (failures >= retries.limit || !(isTransient(error) || (redirected && isStale(error)))) throw error;
          const delayMs = retryDelayMs(retries, failures, error instanceof RegistryError ? error.retryAfterMs : undefined);
          progress.retrying(delayMs);
          await pause(clock, delayMs, cancellation);
        }
      }
    },
  };
}

/** The signed address of a storage behind the registry has run out; the registry gives a new one. */
function isStale(error: unknown): boolean {
  return error instanceof RegistryError && [400, 401, 403].includes(error.status);
}

/** The offset at which an answer starts. */
async function startOf(reply: Reply, wanted: number): Promise<number> {
  if (reply.status === 200) return 0;
  const range = /^bytes (\d{1,15})-/.exec(reply.headers.get('content-range') ?? '');
  if (reply.status === 206 && range !== null && Number(range[1]) <= wanted) return Number(range[1]);
  const body = text(await reply.bytes(ERROR_LIMIT_BYTES).catch(() => new Uint8Array(0)));
  throw reply.status === 206 ? new RegistryError('RANGE_INVALID', 'the registry answers with another range than it was asked for') : errorFromAnswer(reply.status, body, reply.headers.get('retry-after'));
}
