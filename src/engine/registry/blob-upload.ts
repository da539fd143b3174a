import { text } from 'host:bytes';
import { sha256 } from 'host:crypto';
import type { ByteSource, Cancellation, Clock } from '../ports/index.ts';
import { errorFromAnswer, isTransient, RegistryError } from './registry-error.ts';
import type { Repository } from './repository.ts';
import { BLOB_RETRIES, checkCancelled, pause, retryDelayMs, type RetryPolicy } from './retry.ts';
import { discard, type Reply } from './transport.ts';
import { follow, formatQuery, withQuery, type Url } from './url.ts';

/** A blob that is made while it is read; the same bytes each time it is opened. */
export interface UploadContent {
  open(): UploadSource;
}

export interface UploadSource extends ByteSource {
  /** Of all that has been read so far. */
  digest(): string;
  readonly sizeBytes: number;
  close(): void;
}

export interface UploadOptions {
  clock: Clock;
  cancellation: Cancellation;
  retrying(delayMs: number): void;
  retries?: RetryPolicy;
}

interface Uploaded {
  digest: string;
  sizeBytes: number;
}

/** Where an upload stands: the registry's address for what follows, and how much it has. */
interface UploadState {
  location: Url;
  offset: number;
}

const ERROR_LIMIT_BYTES = 64 * 1024;
/** What a registry says of an upload that it has lost, or has other bytes of than we think: a fresh one may do. */
const LOST = new Set(['BLOB_UPLOAD_UNKNOWN', 'BLOB_UPLOAD_INVALID', 'RANGE_INVALID', 'DIGEST_INVALID', 'SIZE_INVALID', 'UPLOAD_OFFSET']);

/** Size of a blob that the registry has in the repository; undefined when it has none. */
export async function findBlob(repository: Repository, digest: string): Promise<number | undefined> {
  const reply = await repository.send(`/v2/${repository.path}/blobs/${digest}`, { method: 'HEAD' });
  await discard(reply);
  if (reply.status === 404) return undefined;
  if (reply.status !== 200) throw errorFromAnswer(reply.status, '', reply.headers.get('retry-after'));
  return Number(reply.headers.get('content-length') ?? Number.NaN);
}

/** Takes a blob over from another repository of the registry, if it lets us. */
export async function mountBlob(repository: Repository, digest: string, fromPath: string): Promise<boolean> {
  const reply = await repository.send(`/v2/${repository.path}/blobs/uploads/${formatQuery({ mount: digest, from: fromPath })}`, { method: 'POST' });
  await discard(reply);
  if (reply.status !== 202) return reply.status === 201;
  // It began an upload instead, which nobody will go on with.
  const location = follow(reply.url, reply.headers.get('location') ?? '');
  if (location !== undefined) await discard(await repository.send(location, { method: 'DELETE' }));
  return false;
}

/** A small blob in one request. */
export async function uploadBytes(repository: Repository, bytes: Uint8Array, options: UploadOptions): Promise<Uploaded> {
  const digest = `sha256:${sha256(bytes)}`;
  await persistently(options, async () => {
    const { location } = await begin(repository);
    await complete(repository, location, digest, bytes);
  });
  return { digest, sizeBytes: bytes.length };
}

/** A blob of unknown length as one stream. When the connection breaks, what the registry has got is not sent again. */
export async function uploadBlob(repository: Repository, content: UploadContent, options: UploadOptions): Promise<Uploaded> {
  let state: UploadState | undefined;
  let furthest = 0;
  return persistently(options, async (progressed) => {
    // What we know of it is from before the failure.
    if (state !== undefined) state = await ask(repository, state).catch(() => undefined);
    if (state !== undefined && state.offset > furthest) {
      furthest = state.offset;
      progressed();
    }
    state ??= await begin(repository);
    try {
      const { location, offset } = state;
      const sent = await stream(repository, content, location, offset);
      state = { location: sent.location, offset: sent.sizeBytes };
      await complete(repository, sent.location, sent.digest, undefined);
      return { digest: sent.digest, sizeBytes: sent.sizeBytes };
    } catch (error) {
      if (error instanceof RegistryError && (LOST.has(error.code) || error.status === 404 || error.status === 416)) state = undefined;
      throw error;
    }
  });
}

async function begin(repository: Repository): Promise<UploadState> {
  const reply = await repository.send(`/v2/${repository.path}/blobs/uploads/`, { method: 'POST' });
  return { location: await accepted(reply, 202), offset: 0 };
}

/** How much the registry has of an upload. */
async function ask(repository: Repository, { location }: UploadState): Promise<UploadState | undefined> {
  const reply = await repository.send(location, { method: 'GET' });
  await discard(reply);
  const range = /^(?:bytes=)?0-(\d{1,15})$/.exec(reply.headers.get('range') ?? '');
  if (reply.status !== 204 || range === null) return undefined;
  // '0-0' says that there is nothing as well as one byte; nothing is what can be gone on with in either case, by beginning anew.
  if (range[1] === '0') return undefined;
  return { location: follow(reply.url, reply.headers.get('location') ?? '') ?? location, offset: Number(range[1]) + 1 };
}

async function stream(repository: Repository, content: UploadContent, location: Url, offset: number): Promise<Uploaded & { location: Url }> {
  const opened: UploadSource[] = [];
  try {
    const reply = await repository.send(location, {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/octet-stream' },
      body() {
        const source = content.open();
        opened.push(source);
        return skipping(source, offset);
      },
    });
    const next = await accepted(reply, 202);
    const source = opened.at(-1);
    if (source === undefined) throw new Error('a body that was never asked for');
    const range = /^(?:bytes=)?0-(\d{1,15})$/.exec(reply.headers.get('range') ?? '');
    if (range !== null && Number(range[1]) + 1 !== source.sizeBytes && source.sizeBytes > 1) {
      throw new RegistryError('UPLOAD_OFFSET', `the registry has ${Number(range[1]) + 1} bytes of ${source.sizeBytes}`);
    }
    return { location: next, digest: source.digest(), sizeBytes: source.sizeBytes };
  } finally {
    for (const source of opened) source.close();
  }
}

/** The source without its first bytes, which it makes (and hashes) all the same. */
function skipping(source: ByteSource, count: number): ByteSource {
  let left = count;
  return {
    async read() {
      for (;;) {
        const part = await source.read();
        if (part === null || left === 0) return part;
        const rest = part.subarray(Math.min(left, part.length));
        left -= part.length - rest.length;
        if (rest.length > 0) return rest;
      }
    },
  };
}

async function complete(repository: Repository, location: Url, digest: string, bytes: Uint8Array | undefined): Promise<void> {
  const reply = await repository.send({ ...location, target: withQuery(location.target, formatQuery({ digest })) }, {
    method: 'PUT', headers: { 'Content-Type': 'application/octet-stream' }, ...(bytes === undefined ? {} : { body: () => bytes }),
  });
  await accepted(reply, 201);
}

/** The address for what follows. */
async function accepted(reply: Reply, wanted: 201 | 202): Promise<Url> {
  // Some answer 204 to the end of an upload.
  if (reply.status !== wanted && !(wanted === 201 && reply.status === 204)) {
    const body = text(await reply.bytes(ERROR_LIMIT_BYTES).catch(() => new Uint8Array(0)));
    throw errorFromAnswer(reply.status, body, reply.headers.get('retry-after'));
  }
  await discard(reply);
  const next = follow(reply.url, reply.headers.get('location') ?? '');
  if (next === undefined || (wanted === 202 && !reply.headers.has('location'))) throw new RegistryError('UPLOAD_INVALID', 'the registry names no address for the upload');
  return next;
}

/** Again and again after failures that may pass; `progressed` says that the last one was not in vain. */
export async function persistently<T>({ clock, cancellation, retrying, retries = BLOB_RETRIES }: UploadOptions, action: (progressed: () => void) => Promise<T>): Promise<T> {
  let failures = 0;
  for (;;) {
    checkCancelled(cancellation);
    try {
      return await action(() => {
        failures = 0;
      });
    } catch (error) {
      checkCancelled(cancellation);
      failures += 1;
      const passing = isTransient(error) || (error instanceof RegistryError && LOST.has(error.code));
      if (failures >= retries.limit || !passing) throw error;
      const delayMs = retryDelayMs(retries, failures, error instanceof RegistryError ? error.retryAfterMs : undefined);
      retrying(delayMs);
      await pause(clock, delayMs, cancellation);
    }
  }
}
