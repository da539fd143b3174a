import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OsbuildError, type DebianArchitecture } from '../../../model/index.ts';
import type { HostApt, HostResult, HostRun } from './host.ts';

/** What makes one private apt root differ from another. */
export interface AptRootSettings {
  suite: string;
  /** Further suites of the main archive (`trixie-backports`), from which nothing is taken but what a set names one of them for. */
  furtherSuites?: string[];
  components: string[];
  /** The first one is apt's native architecture. */
  architectures: [DebianArchitecture, ...DebianArchitecture[]];
  /** Whether indexes of source packages are fetched too. */
  sources?: true;
  /** OpenPGP keyring that the archive's Release files must be signed with. */
  keyring: string;
}

/** A private apt root: nothing of the host's apt or dpkg state is read or written. */
export interface AptRoot {
  folder: string;
  settings: AptRootSettings;
  apt: HostApt;
  /** Runs an apt program on this root, one process at a time over all builds. */
  run(argv: string[], signal?: AbortSignal): Promise<HostResult>;
}

/** Lays out (or finds again) the apt root for these settings below `cacheFolder`/apt. */
export async function openAptRoot(cacheFolder: string, settings: AptRootSettings, apt: HostApt, run: HostRun): Promise<AptRoot> {
  const keyring = await readFile(settings.keyring);
  const key = createHash('sha256')
    .update(JSON.stringify([settings, apt.archives, apt.options, createHash('sha256').update(keyring).digest('hex')]))
    .digest('hex')
    .slice(0, 16);
  const folder = path.join(cacheFolder, 'apt', key);
  const at = (...parts: string[]): string => path.join(folder, ...parts);
  for (const part of ['etc/apt/apt.conf.d', 'etc/apt/preferences.d', 'etc/apt/trusted.gpg.d', 'etc/apt/sources.list.d', 'lists/partial', 'cache/archives/partial', 'log']) {
    await mkdir(at(part), { recursive: true });
  }
  await copyFile(settings.keyring, at('etc/apt/trusted.gpg.d/archive.gpg'));
  await writeFile(at('empty-status'), '');
  await writeFile(at('etc/apt/sources.list'), sourcesList(settings, apt));
  await writeFile(at('apt.conf'), aptConf(folder, settings, apt));
  const env = { APT_CONFIG: at('apt.conf'), LC_ALL: 'C.UTF-8', LANGUAGE: 'C', DEBIAN_FRONTEND: 'noninteractive' };
  return {
    folder,
    settings,
    apt,
    run: (argv, signal) => run(['flock', at('lock'), ...argv], { env, ...(signal === undefined ? {} : { signal }) }),
  };
}

/** An index that the mirror serves otherwise than the signed Release file says; packages of it are not seen. */
export interface IndexGap {
  suite: string;
  component: string;
  architecture: string;
}

/**
 * Fetches the signed indexes. A mirror in the middle of an update serves indexes that do not match their Release file:
 * it is asked again a few times; where updates or security remain unusable, their gaps are returned, and resolving goes on
 * without them. The suite itself and the further ones must be whole.
 * @throws OSB_DOWNLOAD_FAILED when the mirror cannot be reached, OSB_SIGNATURE_INVALID when a Release file is not signed
 * by the keyring, OSB_DISK_FULL
 */
export async function refreshIndexes(root: AptRoot, options: { signal?: AbortSignal; retryDelaysMs?: number[] } = {}): Promise<IndexGap[]> {
  const delays = options.retryDelaysMs ?? [1000, 3000];
  for (let attempt = 0; ; attempt += 1) {
    const result = await root.run(['apt-get', 'update', '--error-on=any'], options.signal);
    if (result.exitCode === 0) return [];
    const output = `${result.stdout}\n${result.stderr}`;
    const gaps = indexGaps(output);
    if (gaps === null || gaps.some((gap) => wholeSuites(root.settings).includes(gap.suite))) throw updateFailed(root, output);
    const delay = delays[attempt];
    if (delay === undefined) return gaps;
    await sleep(delay, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}

/** The indexes that did not match, when nothing else went wrong; null when something else did. */
export function indexGaps(output: string): IndexGap[] | null {
  const gaps: IndexGap[] = [];
  for (const line of output.split('\n').filter((candidate) => candidate.startsWith('E: '))) {
    if (line.startsWith('E: Some index files failed to download')) continue;
    const failed = /^E: Failed to fetch \S+\/dists\/([^/]+)\/(\S+)\/(?:binary-([a-z0-9]+)|source)\/(?:by-hash\/\S+|Packages\S*|Sources\S*) +(.*)$/.exec(line);
    if (failed === null || !/unexpected size|Hash Sum mismatch|Mirror sync/i.test(failed[4] ?? '')) return null;
    gaps.push({ suite: failed[1] ?? '', component: failed[2] ?? '', architecture: failed[3] ?? 'source' });
  }
  return gaps.length === 0 ? null : gaps;
}

/** Suites without whose indexes nothing can be resolved. */
const wholeSuites = ({ suite, furtherSuites = [] }: AptRootSettings): string[] => [suite, ...furtherSuites];

function updateFailed(root: AptRoot, output: string): OsbuildError {
  const lines = output.split('\n').filter((line) => /^(E|W|Err):/.test(line));
  const details = { output: lines.slice(0, 12) };
  if (/No space left on device/.test(output)) {
    return new OsbuildError('OSB_DISK_FULL', `No space left for the package indexes in ${root.folder}.`, {
      hint: 'Free some space, or move the cache with OSBUILD_CACHE_DIR.',
      details,
    });
  }
  if (/NO_PUBKEY|BADSIG|EXPKEYSIG|REVKEYSIG|is not signed|not (a )?valid signature|signatures? (couldn't be|could not be|were invalid)|Sub-process .*(gpgv|sqv)/i.test(output)) {
    return new OsbuildError('OSB_SIGNATURE_INVALID', `The indexes of ${root.apt.archives.main} are not signed by the archive's keys.`, {
      hint: 'If this mirror carries an archive of your own, name its keys with debian.keyring in build.config.yaml.',
      details,
    });
  }
  const absent = /^E: The repository '\S+ (\S+) Release' (?:does not have a Release file|no longer has a Release file)/m.exec(output)?.[1];
  if (absent !== undefined) {
    return new OsbuildError('OSB_DOWNLOAD_FAILED', `The mirror ${root.apt.archives.main} has no suite ${absent}.`, {
      hint: (root.settings.furtherSuites ?? []).includes(absent) ? 'Is kernel.debian.suite of the machine file spelt right? Not every mirror carries backports: debian.mirror names another.' : 'Is debian.suite of build.config.yaml spelt right?',
      details,
    });
  }
  const reason = lines.find((line) => line.startsWith('E: '))?.slice(3) ?? 'apt-get update failed';
  return new OsbuildError('OSB_DOWNLOAD_FAILED', `Cannot fetch the package indexes from ${root.apt.archives.main}: ${reason}`, {
    hint: 'Check the network and the proxy, or name another mirror with debian.mirror in build.config.yaml.',
    details,
  });
}

/** Leaves suites out of the sources, or takes them in again; the suite itself always stays. */
export async function selectSuites(root: AptRoot, without: string[]): Promise<void> {
  await writeFile(path.join(root.folder, 'etc/apt/sources.list'), sourcesList(root.settings, root.apt, without));
}

/** Whether the suite's indexes of all architectures were fetched before, so that resolving is possible without a network. */
export async function hasIndexes(root: AptRoot): Promise<boolean> {
  const { components, architectures } = root.settings;
  const files = await indexFiles(root);
  const has = (suite: string, architecture: string): boolean => files.some((file) => file.endsWith(`_dists_${suite}_${components[0] ?? 'main'}_binary-${architecture}_Packages`));
  return wholeSuites(root.settings).every((suite) => architectures.every((architecture) => has(suite, architecture)));
}

/** Paths of the verified Packages files. */
export async function indexFiles(root: AptRoot): Promise<string[]> {
  const folder = path.join(root.folder, 'lists');
  return (await readdir(folder)).filter((name) => name.endsWith('_Packages')).toSorted().map((name) => path.join(folder, name));
}

/** Of index files those that a set may take packages from: of the suite that it names, else all but the further suites'. */
export function indexesOf(files: readonly string[], { furtherSuites = [] }: AptRootSettings, suite: string | undefined): string[] {
  const isOf = (file: string, name: string): boolean => file.includes(`_dists_${name}_`);
  return files.filter((file) => (suite !== undefined && furtherSuites.includes(suite) ? isOf(file, suite) : !furtherSuites.some((name) => isOf(file, name))));
}

/**
 * apt_preferences(5) under which a set takes what it can from the suite that it names, and otherwise nothing from a further
 * suite, not even what no other has (Debian's backports alone would be taken then, for all that they are NotAutomatic).
 */
export function preferences({ furtherSuites = [] }: Pick<AptRootSettings, 'furtherSuites'>, suite: string | undefined): string {
  return furtherSuites
    .flatMap((name) => [`n=${name}`, `a=${name}`].map((release) => `Package: *\nPin: release ${release}\nPin-Priority: ${name === suite ? 990 : -1}\n`))
    .join('\n');
}

function sourcesList(settings: AptRootSettings, { archives }: HostApt, without: string[] = []): string {
  const { suite, furtherSuites = [], components } = settings;
  const suites: [uri: string, name: string][] = [
    [archives.main, suite],
    [archives.main, `${suite}-updates`],
    [archives.security, `${suite}-security`],
    ...furtherSuites.map((name): [string, string] => [archives.main, name]),
  ];
  return suites
    .filter(([, name]) => !without.includes(name))
    .flatMap(([uri, name]) => (settings.sources === undefined ? ['deb'] : ['deb', 'deb-src']).map((kind) => `${kind} ${uri} ${name} ${components.join(' ')}\n`))
    .join('');
}

/** apt reads this file before any other (APT_CONFIG), so every later one is looked for below our own folder. */
function aptConf(folder: string, settings: AptRootSettings, apt: HostApt): string {
  const [native] = settings.architectures;
  return [
    `Dir "${folder}/";`,
    'Dir::Etc "etc/apt/";',
    'Dir::State "";',
    `Dir::State::lists "${folder}/lists/";`,
    `Dir::State::status "${folder}/empty-status";`,
    `Dir::State::extended_states "${folder}/extended_states";`,
    `Dir::Cache "${folder}/cache/";`,
    `Dir::Log "${folder}/log/";`,
    `APT::Architecture "${native}";`,
    ...settings.architectures.map((architecture) => `APT::Architectures:: "${architecture}";`),
    'APT::Sandbox::User "root";',
    'APT::Install-Recommends "false";',
    'APT::Install-Suggests "false";',
    'APT::Periodic::Enable "false";',
    'APT::Get::AllowUnauthenticated "false";',
    'Acquire::Languages "none";',
    'Acquire::PDiffs "false";',
    'Acquire::GzipIndexes "false";',
    'Acquire::Retries "3";',
    'Acquire::http::Timeout "30";',
    'Acquire::https::Timeout "30";',
    ...apt.options,
    ...(apt.proxies.http === null ? [] : [`Acquire::http::Proxy "${apt.proxies.http}";`]),
    ...(apt.proxies.https === null ? [] : [`Acquire::https::Proxy "${apt.proxies.https}";`]),
    '',
  ].join('\n');
}
