import { createHash } from 'node:crypto';
import path from 'node:path';
import { OsbuildError, type DebianArchitecture, type DebianLock, type DebianRequest, type Emit } from '../../../model/index.ts';
import type { HostApt, HostRun } from '../apt/host.ts';
import { readPackageNames } from '../apt/package-names.ts';
import { furtherSuites, lockedFiles, resolve, type ResolveSettings } from '../apt/resolve.ts';
import { hasIndexes, indexFiles, openAptRoot, refreshIndexes, selectSuites, type AptRoot } from '../apt/root.ts';
import { createHttpClient } from '../../../http/index.ts';
import { fetchDefaults, lockGone } from '../fetch/fetch.ts';
import { goneFromMirror } from './gone.ts';
import { lockAnswers, readLock, writeLock, formatLock } from './file.ts';

/** What the effects of locking need of the world; made once by the composition root. */
export interface LockPorts {
  run: HostRun;
  /** The host's apt configuration, read when it is first needed. */
  apt: () => Promise<HostApt>;
  /** Cache folder of the build; apt roots stand in apt/, refreshed locks in locks/. */
  cacheFolder: string;
  keyring: string;
  emit: Emit;
  signal: AbortSignal;
  /** Whether the store has a blob of this digest: then its package need not be on the mirror. */
  has: (sha256: string) => Promise<boolean>;
}

export interface LockWish {
  /** What the lock is for, in messages: `machine raspberrypi3`, `tools image`. */
  title: string;
  request: DebianRequest;
  suite: string;
  components: string[];
  /** Path of the lock file, which may not exist yet. */
  file: string;
  /** Only this very lock will do: anything else is OSB_LOCK_STALE. */
  locked: boolean;
  /** Resolve anew and write the file. */
  update: boolean;
  askedBy?: Map<string, string[]>;
}

export interface EnsuredLock {
  lock: DebianLock;
  /** Whether it is another one than the file holds. */
  refreshed: boolean;
}

/**
 * The lock to build with. The file's own where it answers the request and the mirror still has its packages (or the store
 * has them); otherwise one resolved today, which is kept in the cache until the file changes, with a notice.
 * Needs no network when the store has all packages.
 * @throws OSB_LOCK_STALE with `locked`; whatever resolving throws
 */
export async function ensureLock(wish: LockWish, ports: LockPorts): Promise<EnsuredLock> {
  const present = await readLock(wish.file);
  if (wish.update) {
    const lock = await resolveNow(wish, ports);
    await writeLock(wish.file, lock);
    return { lock, refreshed: present === null || formatLock(present) !== formatLock(lock) };
  }
  const answers = present !== null && lockAnswers(present, wish);
  if (answers && (await stillThere(present, ports)).length === 0) return { lock: present, refreshed: false };
  if (wish.locked) throw await staleLock(wish, present, answers, ports);

  const cached = path.join(ports.cacheFolder, 'locks', `${digest([wish.request, wish.suite, wish.components, present])}.lock.json`);
  const earlier = await readLock(cached).catch(() => null);
  if (earlier !== null && lockAnswers(earlier, wish) && (await stillThere(earlier, ports)).length === 0) return { lock: earlier, refreshed: true };
  const lock = await resolveNow(wish, ports);
  await writeLock(cached, lock);
  const why = present === null ? 'has no lock yet' : answers ? 'is locked to packages that the mirror no longer has' : 'asks for other packages than its lock';
  ports.emit({
    type: 'notice',
    level: present === null ? 'info' : 'warning',
    code: 'DEBIAN_LOCK_REFRESHED',
    message: `${wish.title} ${why}: built with the versions of today.`,
    hint: 'Record them with `osbuild lock`.',
  });
  return { lock, refreshed: true };
}

/** Resolves a request against today's indexes. */
export async function resolveNow(wish: Omit<LockWish, 'file' | 'locked' | 'update'>, ports: LockPorts): Promise<DebianLock> {
  const apt = await ports.apt();
  const { request, suite, components } = wish;
  const further = furtherSuites(request).filter((name) => name !== suite);
  const root = await openAptRoot(
    ports.cacheFolder,
    { suite, ...(further.length === 0 ? {} : { furtherSuites: further }), components, architectures: [request.architecture, ...request.foreign], keyring: ports.keyring, ...(request.sources === undefined ? {} : { sources: true as const }) },
    apt,
    ports.run,
  );
  const settings: ResolveSettings = {
    suite,
    components,
    signal: ports.signal,
    ...(wish.askedBy === undefined ? {} : { askedBy: wish.askedBy }),
    namesOf: (architecture) => namesOf(architecture, wish, apt, ports),
  };
  const gaps = await refresh(root, wish.title, ports);
  try {
    return await resolve(root, request, settings);
  } catch (error) {
    // Versions of different suites do not fit together where one architecture lacks a suite: then do without it altogether.
    const suites = [...new Set(gaps.map((gap) => gap.suite))];
    if (suites.length === 0 || !(error instanceof OsbuildError) || error.details['explanation'] === undefined) throw error;
    await selectSuites(root, suites);
    try {
      await refreshIndexes(root, { signal: ports.signal });
      return await resolve(root, request, settings);
    } finally {
      await selectSuites(root, []);
    }
  }
}

async function refresh(root: AptRoot, title: string, ports: LockPorts): Promise<{ suite: string }[]> {
  try {
    const gaps = await refreshIndexes(root, { signal: ports.signal });
    if (gaps.length > 0) {
      const what = gaps.map((gap) => `${gap.suite} ${gap.component} ${gap.architecture}`).join(', ');
      ports.emit({ type: 'notice', level: 'warning', code: 'DEBIAN_INDEX_SKIPPED', message: `The mirror is in the middle of an update: ${what} left out for ${title}.`, hint: 'Run `osbuild lock --update` later to have what is missing.' });
    }
    return gaps;
  } catch (error) {
    if (!(error instanceof OsbuildError) || error.code !== 'OSB_DOWNLOAD_FAILED' || !(await hasIndexes(root))) throw error;
    ports.emit({ type: 'notice', level: 'warning', code: 'DEBIAN_INDEX_OLD', message: `${error.message} The indexes of the last time are used.`, ...(error.hint === undefined ? {} : { hint: error.hint }) });
    return [];
  }
}

async function stillThere(lock: DebianLock, ports: LockPorts): Promise<DebianLock['packages']> {
  const missing: DebianLock['packages'] = [];
  for (const locked of lockedFiles(lock)) if (!(await ports.has(locked.sha256))) missing.push(locked);
  if (missing.length === 0) return [];
  const apt = await ports.apt();
  const client = createHttpClient(apt.proxies, { connections: fetchDefaults.connections, stallTimeoutMs: 10_000 });
  try {
    return await goneFromMirror(missing, apt.archives, client, ports.signal);
  } finally {
    client.close();
  }
}

async function staleLock(wish: LockWish, present: DebianLock | null, answers: boolean, ports: LockPorts): Promise<OsbuildError> {
  if (present !== null && answers) return lockGone(await stillThere(present, ports));
  const message = present === null ? `There is no lock for ${wish.title} (${wish.file}).` : `The lock of ${wish.title} (${wish.file}) was made for other packages than the recipes ask for now.`;
  return new OsbuildError('OSB_LOCK_STALE', message, { hint: 'Write it with `osbuild lock`, or build without --locked.' });
}

/** Names of another architecture, to say where a missing package can be had. Null when that cannot be found out. */
async function namesOf(architecture: DebianArchitecture, wish: Pick<LockWish, 'suite' | 'components'>, apt: HostApt, ports: LockPorts): Promise<Set<string> | null> {
  try {
    const root = await openAptRoot(ports.cacheFolder, { suite: wish.suite, components: wish.components, architectures: [architecture], keyring: ports.keyring }, apt, ports.run);
    if (!(await hasIndexes(root))) await refreshIndexes(root, { signal: ports.signal, retryDelaysMs: [] });
    return await readPackageNames(await indexFiles(root));
  } catch {
    return null;
  }
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32);
}
