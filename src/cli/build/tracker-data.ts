import { readFile, stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

import { writeFileAtomic } from '../../cache/index.ts';
import { createHttpClient } from '../../http/index.ts';
import { OsbuildError } from '../../model/index.ts';
import type { Invocation } from '../command.ts';
import { environmentProxies } from './proxies.ts';

export const trackerAddress = 'https://security-tracker.debian.org/tracker/data/json';

/** It has some 100 MB. */
const limitBytes = 500_000_000;
const stallTimeoutMs = 60_000;

interface Kept {
  etag: string;
  sha256: string;
}

/**
 * Debian's security tracker's data, from a file or an address. What was loaded is kept: it is loaded again only when it has changed, and stands in where the tracker cannot be reached.
 * @throws OSB_USAGE for a file that is not there, OSB_DOWNLOAD_FAILED
 */
export async function trackerData(invocation: Invocation, from: string): Promise<string> {
  if (!/^https?:/.test(from)) {
    return readFile(resolve(invocation.cwd, from), 'utf8').catch((cause: Error) => {
      throw new OsbuildError('OSB_USAGE', `cannot read ${from}: ${cause.message}`, { hint: `--data takes a file, or an address such as ${trackerAddress}`, cause });
    });
  }
  const { layout, emit, signal } = invocation;
  const file = join(layout.root, 'advisories', createHash('sha256').update(from).digest('hex').slice(0, 16));
  const kept = await readKept(file);
  try {
    return (await load(invocation, from, file, kept)) ?? kept?.text ?? '';
  } catch (cause) {
    if (signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled', { cause });
    if (kept === null) throw new OsbuildError('OSB_DOWNLOAD_FAILED', `the data of Debian's security tracker cannot be loaded from ${from}: ${(cause as Error).message}`, { hint: 'where there is no network, --data names a copy of it', cause });
    const { mtime } = await stat(file);
    emit({ type: 'notice', level: 'warning', code: 'ADVISORIES_OLD', message: `${from} cannot be reached (${(cause as Error).message}): what it said on ${mtime.toISOString().slice(0, 10)} is taken` });
    return kept.text;
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

async function readKept(file: string): Promise<(Kept & { text: string }) | null> {
  try {
    const [text, about] = await Promise.all([readFile(file, 'utf8'), readFile(`${file}.json`, 'utf8')]);
    const kept = JSON.parse(about) as Kept;
    return sha256(text) === kept.sha256 ? { ...kept, text } : null;
  } catch {
    return null;
  }
}

/** Null when it has not changed. */
async function load({ hostEnvironment, signal, emit }: Invocation, from: string, file: string, kept: Kept | null): Promise<string | null> {
  const id = 'advisories';
  const title = 'Data of Debian’s security tracker';
  const client = createHttpClient(environmentProxies(hostEnvironment, new URL(from).hostname), { connections: 1, stallTimeoutMs });
  const begin = performance.now();
  emit({ type: 'task-start', id, title });
  try {
    const response = await client.request(from, { headers: kept === null ? {} : { 'If-None-Match': kept.etag }, signal });
    if (response.statusCode !== 200) response.destroy();
    if (response.statusCode !== 200 && (kept === null || response.statusCode !== 304)) throw new Error(`it answers ${response.statusCode ?? 0}`);
    const parts: Buffer[] = [];
    let doneBytes = 0;
    if (response.statusCode === 200) {
      for await (const part of response as AsyncIterable<Buffer>) {
        parts.push(part);
        doneBytes += part.length;
        if (doneBytes > limitBytes) throw new Error(`it sends more than ${limitBytes} bytes`);
        emit({ type: 'task-progress', id, done: doneBytes, total: Number(response.headers['content-length'] ?? 0) || null, unit: 'bytes' });
      }
    }
    emit({ type: 'task-done', id, title, cached: response.statusCode === 304, durationMs: Math.round(performance.now() - begin) });
    if (response.statusCode === 304) return null;
    const text = Buffer.concat(parts).toString('utf8');
    await writeFileAtomic(file, text);
    await writeFileAtomic(`${file}.json`, JSON.stringify({ etag: response.headers.etag ?? '', sha256: sha256(text) } satisfies Kept));
    return text;
  } finally {
    client.close();
  }
}
