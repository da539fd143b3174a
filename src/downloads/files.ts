import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createHttpClient, type Proxies } from '../http/index.ts';
import { OsbuildError, type Executor, type Executors, type DownloadSteps, type FileByUrl, type StepContext } from '../model/index.ts';
import { diskFull, download, GoneError, type Words } from './download.ts';

export interface FileFetchSettings {
  /** Where files lie under their SHA-256, asked in this order before a file's own address: folders (absolute) and URLs. */
  mirrors: readonly string[];
  /** Proxies for a host. */
  proxies(host: string): Proxies;
  connections: number;
  /** A connection that brings nothing for so long is given up. */
  stallTimeoutMs: number;
  retryDelaysMs: number[];
}

export const fileFetchDefaults: Omit<FileFetchSettings, 'mirrors' | 'proxies'> = { connections: 4, stallTimeoutMs: 30_000, retryDelaysMs: [500, 1500, 4000] };

/** Whether a mirror of files is a server; otherwise it is a folder. */
export const isAddress = (mirror: string): boolean => /^https?:/.test(mirror);

type Context = StepContext<'download/files'>;

/** Makes the executor of this folder's step. What the store has already is taken from there, without any network. */
export function createDownloadExecutors(settings: FileFetchSettings): Pick<Executors, keyof DownloadSteps> {
  const run: Executor<'download/files'> = async (context) => {
    let doneBytes = 0;
    const received = (bytes: number): void => {
      doneBytes += bytes;
      context.progress(doneBytes, null, 'bytes');
    };
    // Two names of one file are one file.
    const files = [...new Map(context.args.files.map((file) => [file.sha256, file])).values()];
    const queue: FileByUrl[] = [];
    for (const file of files) if (!(await context.adopt(file.sha256, file.sha256))) queue.push(file);
    const lane = async (): Promise<void> => {
      for (let file = queue.shift(); file !== undefined; file = queue.shift()) await fetchOne(context, file, settings, received);
    };
    const lanes = await Promise.allSettled(Array.from({ length: Math.min(settings.connections, queue.length) }, lane));
    context.signal.throwIfAborted();
    const rejected = lanes.find((result) => result.status === 'rejected');
    if (rejected !== undefined) throw rejected.reason;
  };
  return { 'download/files': { version: 1, run } };
}

async function fetchOne(context: Context, file: FileByUrl, settings: FileFetchSettings, received: (bytes: number) => void): Promise<void> {
  const { sha256 } = file;
  const partial = await context.partial(sha256);
  try {
    // Another build may have finished this very file while we waited for its lock.
    if (await context.adopt(sha256, sha256)) return;
    const failures: OsbuildError[] = [];
    for (const mirror of settings.mirrors) {
      try {
        const found = isAddress(mirror) ? await fromUrl(context, file, `${mirror.replace(/\/+$/, '')}/${sha256}`, mirrorWords(mirror), partial.path, settings, received) : await fromFolder(context, file, mirror);
        await context.deliver(sha256, found, sha256);
        context.log(`${file.name} ${sha256} from the mirror ${mirror}`);
        return;
      } catch (error) {
        failures.push(passOver(error, context));
        if (failures.at(-1)?.code === 'OSB_HASH_MISMATCH') context.notice('warning', 'FILE_MIRROR_WRONG', `${mirror} has another file under the SHA-256 of ${file.name}: it is passed over.`, `${sha256} is what its file must have`);
      }
    }
    try {
      await context.deliver(sha256, await fromUrl(context, file, file.url, makerWords, partial.path, settings, received), sha256);
    } catch (error) {
      throw notToBeHad(file, passOver(error, context), failures);
    }
    context.log(`${file.name} ${sha256} from ${file.url}`);
  } finally {
    await partial.release();
  }
}

/** A copy of a mirror's file, proven; the mirror's own file may change at any time. */
async function fromFolder(context: Context, { name, sha256 }: FileByUrl, folder: string): Promise<string> {
  const copy = join(context.scratch, sha256);
  try {
    await copyFile(join(folder, sha256), copy);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOSPC') throw diskFull(copy, cause);
    throw new OsbuildError('OSB_DOWNLOAD_FAILED', code === 'ENOENT' ? `${folder} does not have ${name}` : `${folder}: ${String(cause)}`, { cause });
  }
  const actual = await context.sha256(copy);
  if (actual !== sha256) throw new OsbuildError('OSB_HASH_MISMATCH', `${folder}/${sha256} has the SHA-256 ${actual}`);
  return copy;
}

async function fromUrl(context: Context, { name, sha256 }: FileByUrl, url: string, words: Words, path: string, settings: FileFetchSettings, received: (bytes: number) => void): Promise<string> {
  const client = createHttpClient(settings.proxies(new URL(url).hostname), settings);
  try {
    await download({ name, url, sizeBytes: null, sha256, words }, path, { client, signal: context.signal, retryDelaysMs: settings.retryDelaysMs, received });
    return path;
  } finally {
    client.close();
  }
}

/** What one place could not do, as an error of ours; anything that another place cannot mend is thrown on. */
function passOver(error: unknown, { signal }: Pick<Context, 'signal'>): OsbuildError {
  signal.throwIfAborted();
  if (error instanceof GoneError) return new OsbuildError('OSB_DOWNLOAD_FAILED', error.message, { cause: error });
  if (error instanceof OsbuildError && error.code !== 'OSB_DISK_FULL') return error;
  throw error;
}

function notToBeHad(file: FileByUrl, last: OsbuildError, mirrors: readonly OsbuildError[]): OsbuildError {
  const { name, url, sha256 } = file;
  const reasons = [...mirrors, last].map(({ message }) => message);
  const gone = last.cause instanceof GoneError;
  const details = { name, url, sha256, reasons, ...last.details };
  if (last.code === 'OSB_HASH_MISMATCH') {
    const actual = String(last.details['actual']);
    return new OsbuildError('OSB_HASH_MISMATCH', `${name} from ${url} has the SHA-256 ${actual}, and not ${sha256}.`, { hint: makerWords.damagedHint, details, cause: last });
  }
  return new OsbuildError('OSB_DOWNLOAD_FAILED', mirrors.length === 0 && !gone ? last.message : `${name} cannot be had: ${reasons.join('; ')}`, {
    hint: gone ? `Its maker has it no longer under this address: correct url of the machine file, or keep the file as ${sha256} in a folder that files.mirrors of build.config.yaml names.` : makerWords.failedHint,
    details,
    cause: last,
  });
}

const makerWords: Words = {
  server: 'its server',
  promise: 'the machine file',
  damagedHint: 'Either the file was changed at its address, then look at what it is now before sha256 in the machine file is; or what is between here and there is to blame.',
  failedHint: 'Check the network and the proxy. Without a network: files.mirrors of build.config.yaml names folders and servers that have such files under their SHA-256.',
};

const mirrorWords = (mirror: string): Words => ({ ...makerWords, server: `the mirror ${mirror}` });
