import { OsbuildError, type Executor, type LockedPackage, type StepContext } from '../../../model/index.ts';
import type { HostApt } from '../apt/host.ts';
import type { Archives } from '../apt/sources.ts';
import { download, GoneError, type Words } from '../../../downloads/index.ts';
import { createHttpClient, type HttpClient } from '../../../http/index.ts';

export interface FetchSettings {
  /** The host's apt configuration, read when the first byte must come from the network. */
  apt: () => Promise<HostApt>;
  connections: number;
  /** A connection that brings nothing for so long is given up. */
  stallTimeoutMs: number;
  retryDelaysMs: number[];
}

export const fetchDefaults: Omit<FetchSettings, 'apt'> = { connections: 8, stallTimeoutMs: 30_000, retryDelaysMs: [500, 1500, 4000, 10_000, 20_000] };

export const mirrorWords: Words = {
  server: 'the mirror',
  promise: 'the signed index',
  damagedHint: 'The mirror (or a proxy before it) serves a damaged file: try again later or name another with debian.mirror.',
  failedHint: 'Check the network and the proxy, or name another mirror with debian.mirror; what has arrived is kept, the next run goes on from there.',
};

/** Makes the executor of `debian/fetch`. What the store has already is taken from there, without any network. */
export function createFetch(settings: FetchSettings): Executor<'debian/fetch'> {
  return async (context) => {
    const { packages } = context.args;
    const totalBytes = packages.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    let doneBytes = 0;
    const received = (bytes: number): void => {
      doneBytes += bytes;
      context.progress(doneBytes, totalBytes, 'bytes');
    };
    const missing: LockedPackage[] = [];
    for (const locked of packages) {
      if (await context.adopt(`${locked.sha256}.deb`, locked.sha256)) received(locked.sizeBytes);
      else missing.push(locked);
    }
    if (missing.length === 0) return;
    const apt = await settings.apt();
    const client = createHttpClient(apt.proxies, settings);
    const gone: LockedPackage[] = [];
    // One failed download ends the others; what they have stays in their partial files.
    const failure = new AbortController();
    const signal = AbortSignal.any([context.signal, failure.signal]);
    const queue = missing.toSorted((a, b) => b.sizeBytes - a.sizeBytes);
    const lane = async (): Promise<void> => {
      for (let locked = queue.shift(); locked !== undefined; locked = queue.shift()) {
        try {
          await fetchOne(context, locked, packageUrl(apt.archives, locked), client, settings, signal, received);
        } catch (error) {
          if (!(error instanceof GoneError)) {
            failure.abort();
            throw error;
          }
          gone.push(locked);
        }
      }
    };
    try {
      const lanes = await Promise.allSettled(Array.from({ length: Math.min(settings.connections, queue.length) }, lane));
      context.signal.throwIfAborted();
      const rejected = lanes.filter((result) => result.status === 'rejected').map((result) => result.reason as unknown);
      const reason = rejected.find((candidate) => candidate instanceof OsbuildError) ?? rejected[0];
      if (reason !== undefined) throw reason;
    } finally {
      client.close();
    }
    if (gone.length > 0) throw lockGone(gone.toSorted((a, b) => (a.name < b.name ? -1 : 1)));
  };
}

async function fetchOne(
  context: StepContext<'debian/fetch'>,
  locked: LockedPackage,
  url: string,
  client: HttpClient,
  settings: FetchSettings,
  signal: AbortSignal,
  received: (bytes: number) => void,
): Promise<void> {
  const partial = await context.partial(locked.sha256);
  try {
    // Another build may have finished this very file while we waited for its lock.
    if (await context.adopt(`${locked.sha256}.deb`, locked.sha256)) {
      received(locked.sizeBytes);
      return;
    }
    await download({ name: `${locked.name} ${locked.version}`, url, sizeBytes: locked.sizeBytes, sha256: locked.sha256, words: mirrorWords }, partial.path, { client, signal, retryDelaysMs: settings.retryDelaysMs, received });
    await context.deliver(`${locked.sha256}.deb`, partial.path, locked.sha256);
    context.log(`${locked.name} ${locked.version} ${locked.architecture} ${locked.sizeBytes} bytes`);
  } finally {
    await partial.release();
  }
}

/** Packages of a lock that the mirror has dropped. */
export function lockGone(gone: LockedPackage[]): OsbuildError {
  const names = gone.map(({ name, version }) => `${name} ${version}`);
  return new OsbuildError('OSB_LOCK_STALE', `The mirror no longer has ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''} of the lock.`, {
    hint: 'Run the build without --locked to take the versions of today, or `osbuild lock --update` to record them.',
    details: { gone: gone.map(({ name, version, architecture }) => ({ name, version, architecture })) },
  });
}

/** Address of a package on the mirror. */
export function packageUrl(archives: Archives, { archive, filename }: Pick<LockedPackage, 'archive' | 'filename'>): string {
  return `${archives[archive]}/${filename.split('/').map(encodeURIComponent).join('/')}`;
}
