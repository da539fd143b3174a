import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { OsbuildError } from '../model/index.ts';
import type { HttpClient } from '../http/index.ts';

/** One file to be had, known by its digest. */
export interface Wanted {
  /** For messages. */
  name: string;
  url: string;
  /** Null where nobody has said it: then the server's word counts until the digest is known. */
  sizeBytes: number | null;
  sha256: string;
  words: Words;
}

/** How messages speak of where a file comes from, and what there is to do about it. */
export interface Words {
  /** `the mirror` */
  server: string;
  /** Who promised the digest: `the signed index`. */
  promise: string;
  damagedHint: string;
  failedHint: string;
}

/** Nothing larger is taken from a server that was not told a size. */
const sizeLimitBytes = 4 * 1024 ** 3;

export interface DownloadSettings {
  client: HttpClient;
  signal: AbortSignal;
  /** Pauses between attempts; their number is the number of attempts after the first that bring no new byte. */
  retryDelaysMs: number[];
  /** Called with bytes as they arrive, negative when bytes are thrown away. */
  received(bytes: number): void;
}

/** The server does not have the file (any more). */
export class GoneError extends Error {}

/** A failure that the next attempt may not meet. */
class PassingError extends Error {}

/**
 * Downloads into `file`, going on from what stands there, until size and SHA-256 agree.
 * @throws GoneError (404, 410), OSB_DOWNLOAD_FAILED, OSB_HASH_MISMATCH (the file is removed), OSB_DISK_FULL
 */
export async function download(wanted: Wanted, file: string, settings: DownloadSettings): Promise<void> {
  let resumed = (await sizeOf(file)) > 0;
  for (let fruitless = 0; ; ) {
    const before = await sizeOf(file);
    try {
      const digest = await attempt(wanted, file, settings);
      if (digest === wanted.sha256) return;
      settings.received(-(await sizeOf(file)));
      await rm(file, { force: true });
      // What an earlier run left may be damaged: once more from the beginning, then the mirror is to blame.
      if (resumed) {
        resumed = false;
        continue;
      }
      throw new OsbuildError('OSB_HASH_MISMATCH', `${wanted.name} from ${wanted.words.server} is not what ${wanted.words.promise} says.`, {
        hint: wanted.words.damagedHint,
        details: { url: wanted.url, expected: wanted.sha256, actual: digest },
      });
    } catch (error) {
      settings.signal.throwIfAborted();
      if (error instanceof OsbuildError || error instanceof GoneError) throw error;
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw diskFull(file, error);
      if (!isPassing(error)) throw failed(wanted, error);
      fruitless = (await sizeOf(file)) > before ? 0 : fruitless + 1;
      const delay = settings.retryDelaysMs[fruitless === 0 ? 0 : fruitless - 1];
      if (fruitless > settings.retryDelaysMs.length || delay === undefined) throw failed(wanted, error);
      await sleep(delay, undefined, { signal: settings.signal });
    }
  }
}

/** One request; returns the SHA-256 of the whole file when its size is right. */
async function attempt(wanted: Wanted, file: string, { client, signal, received }: DownloadSettings): Promise<string> {
  const { words } = wanted;
  const limitBytes = wanted.sizeBytes ?? sizeLimitBytes;
  let present = await sizeOf(file);
  if (present > limitBytes) {
    await rm(file, { force: true });
    present = 0;
  }
  let hash = await hashOf(file, present);
  received(present);
  let counted = present;
  try {
    if (present < limitBytes) {
      const response = await client.request(wanted.url, { headers: present > 0 ? { Range: `bytes=${present}-` } : {}, signal });
      const status = response.statusCode ?? 0;
      const resuming = status === 206 && (response.headers['content-range'] ?? '').startsWith(`bytes ${present}-`);
      if (status !== 200 && !resuming) {
        response.destroy();
        if (status === 404 || status === 410) throw new GoneError(`${wanted.url}: ${status}`);
        if (status === 416 || status === 206) await rm(file, { force: true });
        const message = `${words.server} answers ${status} ${response.statusMessage ?? ''}`.trim();
        throw status >= 500 || [206, 408, 416, 425, 429].includes(status) ? new PassingError(message) : new Error(message);
      }
      if (!resuming && present > 0) {
        received(-present);
        counted = 0;
        hash = createHash('sha256');
      }
      const handle = await open(file, resuming && present > 0 ? 'r+' : 'w');
      try {
        let position = counted;
        for await (const piece of response as AsyncIterable<Buffer>) {
          if (position + piece.length > limitBytes) throw wanted.sizeBytes === null ? new Error(`${words.server} sends more than ${limitBytes} bytes`) : new PassingError(`${words.server} sends more than ${words.promise} says`);
          hash.update(piece);
          for (let done = 0; done < piece.length; ) done += (await handle.write(piece, done, piece.length - done, position + done)).bytesWritten;
          position += piece.length;
          counted += piece.length;
          received(piece.length);
        }
        if (wanted.sizeBytes !== null && position < wanted.sizeBytes) throw new PassingError('the connection was closed early');
      } finally {
        await handle.close();
      }
    }
  } catch (error) {
    received(-counted);
    throw error;
  }
  return hash.digest('hex');
}

function isPassing(error: unknown): boolean {
  if (error instanceof PassingError) return true;
  const { code, name } = error as NodeJS.ErrnoException;
  return name === 'TimeoutError' || ['ECONNRESET', 'ECONNREFUSED', 'ECONNABORTED', 'ETIMEDOUT', 'EPIPE', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH', 'ERR_STREAM_PREMATURE_CLOSE', 'HPE_INVALID_CONSTANT'].includes(code ?? '');
}

function failed(wanted: Wanted, cause: unknown): OsbuildError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new OsbuildError('OSB_DOWNLOAD_FAILED', `Cannot download ${wanted.name}: ${reason}`, {
    hint: wanted.words.failedHint,
    details: { url: wanted.url },
    cause,
  });
}

export function diskFull(file: string, cause: unknown): OsbuildError {
  return new OsbuildError('OSB_DISK_FULL', `No space left for downloads (${file}).`, {
    hint: 'Free some space (osbuild cache prune), or move the cache with OSBUILD_CACHE_DIR.',
    cause,
  });
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => null))?.size ?? 0;
}

async function hashOf(file: string, sizeBytes: number): Promise<Hash> {
  const hash = createHash('sha256');
  if (sizeBytes > 0) for await (const piece of createReadStream(file, { end: sizeBytes - 1 })) hash.update(piece as Buffer);
  return hash;
}
