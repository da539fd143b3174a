import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { Emit } from '../../model/index.ts';
import { everyAtOnce } from '../at-once.ts';
import type { BlobInfo, BlobStore } from '../blobs.ts';
import { diskError } from '../file.ts';
import type { CacheLayout } from '../layout.ts';
import type { Results, TaskResult } from '../results.ts';
import { fromActionResult, toActionResult } from './action-result.ts';
import { RemoteError, type RemoteServer } from './server.ts';

export interface SharedResultsOptions {
  local: Results;
  blobs: BlobStore;
  layout: CacheLayout;
  server: RemoteServer;
  /** Whether results of this machine are stored on the server. */
  push: boolean;
  emit: Emit;
  signal: AbortSignal;
}

/** Results of this machine and, where it has none, of those who share a cache server with it. */
export interface SharedResults extends Results {
  /** Waits for what is still being stored, and says what was taken and stored. */
  settle(): Promise<void>;
  /** Stores a result of this machine on the server, whatever made it and when; resolves with whether the server has it. */
  offer(key: string): Promise<boolean>;
}

const transfersAtOnce = 4;
const attempts = 3;

/**
 * A server that fails costs a build nothing but what it would have saved: it is named once and left alone for the rest of
 * the run. What it sends is used only when it has the hash it is named by. Trees stay on the machine that made them: they
 * are unpacked from files that are shared.
 */
export function sharedResults(options: SharedResultsOptions): SharedResults {
  const { local, blobs, layout, server, push, emit, signal } = options;
  const usable = { reading: true, writing: push };
  const taken = { results: 0, bytes: 0 };
  const stored = { results: 0, bytes: 0 };
  let uploads: Promise<void> = Promise.resolve();
  let counter = 0;

  const giveUp = (kind: 'reading' | 'writing', error: unknown): void => {
    if (!usable[kind] || signal.aborted) return;
    usable[kind] = false;
    // Who may not write may still read; a server that cannot be reached is of no use at all.
    if (!(error instanceof RemoteError)) usable.reading = usable.writing = false;
    const message = error instanceof Error ? error.message : String(error);
    const refused = error instanceof RemoteError && [401, 403].includes(error.status);
    emit({
      type: 'notice',
      level: 'warning',
      code: 'REMOTE_CACHE',
      message: `shared cache ${server.name}: ${message}; the build goes on without ${kind === 'writing' ? 'storing there' : 'it'}`,
      ...(refused ? { hint: 'OSBUILD_REMOTE_CACHE_TOKEN, or user and password in OSBUILD_REMOTE_CACHE' } : {}),
    });
  };

  const loadBlob = async (blob: BlobInfo): Promise<boolean> => {
    if ((await blobs.size(blob.sha256)) === blob.sizeBytes) return true;
    const file = join(layout.work(), `remote-${process.pid}-${counter++}`);
    try {
      await mkdir(dirname(file), { recursive: true });
      const there = await retried(() => rm(file, { force: true }).then(() => server.load(blob, file, signal)), signal);
      if (there) await blobs.take(file, blob.sha256);
      if (there) taken.bytes += blob.sizeBytes;
      return there;
    } catch (error) {
      throw diskError(error, file);
    } finally {
      await rm(file, { force: true });
    }
  };

  const fetch = async (key: string, title: string): Promise<TaskResult | null> => {
    const text = await retried(() => server.result(key, signal), signal);
    const result = text === null ? null : fromActionResult(text);
    if (text !== null && result === null) throw new RemoteError(0, `what it has for ${key} is no result of a task`);
    if (result === null) return null;
    const files = Object.values(result.files);
    emit({ type: 'notice', level: 'info', code: 'REMOTE_CACHE', message: `${title}: from the shared cache` });
    // The server may have dropped a blob but not yet the result that names it: then the task runs.
    if (!(await everyAtOnce(files, transfersAtOnce, loadBlob))) return null;
    await local.put(key, result);
    taken.results++;
    return result;
  };

  const upload = async (key: string, result: TaskResult): Promise<void> => {
    await everyAtOnce(Object.values(result.files), transfersAtOnce, async (blob) => {
      if (await retried(() => server.has(blob.sha256, signal), signal)) return true;
      await retried(() => server.store(blob, blobs.path(blob.sha256), signal), signal);
      stored.bytes += blob.sizeBytes;
      return true;
    });
    // The result comes last: whoever sees it finds all that it names.
    await retried(() => server.putResult(key, toActionResult(result), signal), signal);
    stored.results++;
  };

  /** One result after the other, beside the tasks. Never rejects. */
  const uploadAfter = async (earlier: Promise<void>, key: string, result: TaskResult): Promise<void> => {
    await earlier;
    if (!usable.writing || signal.aborted) return;
    await upload(key, result).catch((error: unknown) => giveUp('writing', error));
  };

  return {
    async get(key, title) {
      const own = await local.get(key, title);
      if (own !== null || !usable.reading) return own;
      try {
        return await fetch(key, title);
      } catch (error) {
        if (isLocal(error)) throw error;
        giveUp('reading', error);
        return null;
      }
    },
    async put(key, result) {
      await local.put(key, result);
      if (!usable.writing || result.tree || Object.keys(result.files).length === 0) return;
      uploads = uploadAfter(uploads, key, result);
    },
    drop: (key) => local.drop(key),
    async offer(key) {
      const own = await local.get(key, key);
      if (own === null || own.tree || Object.keys(own.files).length === 0) return false;
      if ((await retried(() => server.result(key, signal), signal)) === null) await upload(key, own);
      return true;
    },
    async settle() {
      await uploads;
      if (taken.results > 0) emit({ type: 'notice', level: 'info', code: 'REMOTE_CACHE', message: `shared cache: ${taken.results} results taken (${taken.bytes} bytes)` });
      if (stored.results > 0) emit({ type: 'notice', level: 'info', code: 'REMOTE_CACHE', message: `shared cache: ${stored.results} results stored (${stored.bytes} bytes)` });
      taken.results = stored.results = taken.bytes = stored.bytes = 0;
    },
  };
}

/** A full disk of this machine is not the server's fault. */
const isLocal = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === 'OSB_DISK_FULL';

/** Answers that say something stay as they are; what the network or a busy server did is tried again. */
async function retried<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const final = error instanceof RemoteError && error.status !== 429 && error.status < 500;
      const code = (error as { code?: unknown } | null)?.code;
      const hopeless = ['ECONNREFUSED', 'ENOTFOUND', 'ENOSPC', 'EDQUOT'].includes(String(code)) || (error instanceof RemoteError && error.status === 507);
      if (final || hopeless || signal.aborted || attempt === attempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200 * 4 ** (attempt - 1)));
    }
  }
}
