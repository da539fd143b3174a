import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { OsbuildError, type DebianArchitecture, type DebianLock, type DebianRequest, type DebianSetRequest, type LockedFile, type LockedPackage, type LockedSource } from '../../../model/index.ts';
import { headersSet, isOfHeaders } from '../kernel/headers-packages.ts';
import { nearestNames, readPackageNames } from './package-names.ts';
import { indexesOf, indexFiles, preferences, type AptRoot } from './root.ts';
import { headersStandIns, kernelStandIns, scriptStandIns, statusFile, type StandIn } from './stand-ins.ts';
import type { Archives } from './sources.ts';

export interface ResolveSettings {
  suite: string;
  components: string[];
  /** Who asked for a package, for messages: package → `recipe base`, `machine x`. */
  askedBy?: Map<string, string[]>;
  /** Names of all packages of another architecture, where they can be known; asked only when a package is missing. */
  namesOf?: (architecture: DebianArchitecture) => Promise<Set<string> | null>;
  signal?: AbortSignal;
}

/** Name of the set that `request.packages` makes. */
export const mainSet = 'main';

/**
 * Lets apt choose versions for a request, against the indexes that `root` has.
 * @throws OSB_PACKAGE_MISSING when a package or a dependency cannot be had
 */
export async function resolve(root: AptRoot, request: DebianRequest, settings: ResolveSettings): Promise<DebianLock> {
  const absent = await checkNames(root, request, settings);
  const found = new Map<string, { locked: LockedPackage; sets: Set<string> }>();
  for (const [set, wanted] of requestSets(request)) {
    if (wanted.packages.length === 0 || absent.has(set)) continue;
    for (const locked of await askApt(root, set, wanted, settings)) {
      const key = `${locked.name}:${locked.architecture}`;
      const known = found.get(key) ?? { locked, sets: new Set<string>() };
      known.sets.add(set);
      found.set(key, known);
    }
  }
  const packages = [...found.values()]
    .map(({ locked, sets }) => (sets.size === 1 && sets.has(mainSet) ? locked : { ...locked, sets: [...sets].toSorted() }))
    .toSorted((a, b) => compare(a.name, b.name) || compare(a.architecture, b.architecture));
  const sources: LockedSource[] = [];
  for (const name of sortRequest(request).sources ?? []) sources.push(await askSource(root, name, settings));
  return { version: 1, suite: settings.suite, components: settings.components, request: sortRequest(request), packages, ...(sources.length === 0 ? {} : { sources }) };
}

/** How apt is asked for a set. */
interface SetRules {
  /** Of the status file. */
  name: string;
  standIns: readonly StandIn[];
  /** Of what apt adds, what belongs to the set. */
  takes?(name: string): boolean;
  /** The architecture of its packages is apt's own, so that programs among them are for it. */
  native?: true;
}

const usualRules: SetRules = { name: 'root', standIns: scriptStandIns };

const ownRules = new Map<string, SetRules>([
  ['kernel', { name: 'kernel', standIns: kernelStandIns }],
  // Programs among a kernel's headers are for who builds modules where the kernel runs, whatever the root's own programs are for.
  [headersSet, { name: headersSet, standIns: headersStandIns, takes: isOfHeaders, native: true }],
]);

/** The same request in the order that lock files keep. */
export function sortRequest(request: DebianRequest): DebianRequest {
  const sets = Object.entries(request.sets ?? {}).toSorted(([a], [b]) => compare(a, b));
  return {
    architecture: request.architecture,
    foreign: [...new Set(request.foreign)].toSorted(),
    packages: [...new Set(request.packages)].toSorted(),
    ...(sets.length === 0 ? {} : { sets: Object.fromEntries(sets.map(([name, set]) => [name, { packages: [...new Set(set.packages)].toSorted(), dependencies: set.dependencies, ...(set.suite === undefined ? {} : { suite: set.suite }), ...(set.optional === undefined ? {} : { optional: set.optional }) }])) }),
    ...(request.sources === undefined || request.sources.length === 0 ? {} : { sources: [...new Set(request.sources)].toSorted() }),
  };
}

/** The packages of a lock that belong to a set. */
export function packagesOfSet(lock: DebianLock, set: string): LockedPackage[] {
  return lock.packages.filter((locked) => (locked.sets ?? [mainSet]).includes(set));
}

/** Every file that a lock names, with what it belongs to: packages and the files of source packages. */
export function lockedFiles(lock: Pick<DebianLock, 'packages' | 'sources'>): LockedPackage[] {
  return [...lock.packages, ...(lock.sources ?? []).flatMap(sourceFiles)];
}

/** Files of a source package as a fetch step takes them. */
export function sourceFiles({ name, version, files }: LockedSource): LockedPackage[] {
  return files.map((file) => ({ name, version, architecture: 'all', ...file }));
}

/** Reads one line of `apt-get --print-uris source`; null for any other line. */
export function parseSourceLine(line: string, archives: Archives): LockedFile | null {
  const match = /^'([^']+)' \S+ (\d+) SHA256:([0-9a-f]{64})$/.exec(line.trim());
  if (match === null) return null;
  const [, uri = '', size = '', sha256 = ''] = match;
  const place = placeOf(uri, archives);
  return place === null ? null : { ...place, sizeBytes: Number(size), sha256 };
}

function placeOf(uri: string, archives: Archives): Pick<LockedFile, 'archive' | 'filename'> | null {
  const archive = uri.startsWith(`${archives.security}/`) ? 'security' : 'main';
  const base = `${archives[archive]}/`;
  return uri.startsWith(base) ? { archive, filename: decodeURIComponent(uri.slice(base.length)) } : null;
}

/** Reads one line of `apt-get --print-uris`; null for any other line. */
export function parseUriLine(line: string, archives: Archives): LockedPackage | null {
  const match = /^'([^']+)' (\S+)_(\S+)_([a-z0-9]+)\.deb (\d+) SHA256:([0-9a-f]{64})$/.exec(line.trim());
  if (match === null) return null;
  const [, uri = '', name = '', version = '', architecture = '', size = '', sha256 = ''] = match;
  const place = placeOf(uri, archives);
  if (place === null) return null;
  return {
    name,
    version: decodeURIComponent(version),
    architecture: architecture as LockedPackage['architecture'],
    ...place,
    sizeBytes: Number(size),
    sha256,
  };
}

/** Suites that sets of a request name beside the lock's own. */
export function furtherSuites(request: DebianRequest): string[] {
  return [...new Set(requestSets(request).flatMap(([, { suite }]) => suite ?? []))].toSorted();
}

function requestSets(request: DebianRequest): [string, DebianSetRequest][] {
  return [[mainSet, { packages: request.packages, dependencies: true }], ...Object.entries(request.sets ?? {})];
}

async function askApt(root: AptRoot, set: string, { packages, dependencies, suite }: DebianSetRequest, settings: ResolveSettings): Promise<LockedPackage[]> {
  const { name, standIns, takes = () => true, native } = ownRules.get(set) ?? usualRules;
  const status = path.join(root.folder, `status-${name}`);
  await writeFile(status, statusFile(standIns));
  const pins = path.join(root.folder, 'preferences');
  await writeFile(pins, preferences(root.settings, suite));
  const verb = dependencies ? ['install', '--no-install-recommends', '--assume-yes', '--reinstall'] : ['download'];
  const foreign = native === true ? packages[0]?.split(':')[1] : undefined;
  const result = await root.run(['apt-get', '-q', ...(foreign === undefined ? [] : ['-o', `APT::Architecture=${foreign}`]), '-o', 'Acquire::ForceHash=SHA256', '-o', `Dir::State::status=${status}`, '-o', `Dir::Etc::preferences=${pins}`, '--print-uris', ...verb, ...packages], settings.signal);
  if (result.exitCode !== 0) throw aptRefused(set, `${result.stdout}\n${result.stderr}`, settings);
  const lines = result.stdout.split('\n').filter((line) => line.startsWith("'"));
  return lines
    .map((line) => {
      const locked = parseUriLine(line, root.apt.archives);
      if (locked === null) throw new Error(`Line of apt-get --print-uris not understood: ${line}`);
      return locked;
    })
    .filter((locked) => takes(locked.name));
}

/** The newest version of a source package, with its archives. */
async function askSource(root: AptRoot, name: string, settings: ResolveSettings): Promise<LockedSource> {
  const result = await root.run(['apt-get', '-q', '-o', 'Acquire::ForceHash=SHA256', '--print-uris', '--download-only', 'source', name], settings.signal);
  if (result.exitCode !== 0) {
    if (!/Unable to find a source package/.test(result.stderr)) throw aptRefused('sources', `${result.stdout}\n${result.stderr}`, settings);
    throw new OsbuildError('OSB_PACKAGE_MISSING', `There is no source package ${name} in Debian ${settings.suite} (asked for by ${(settings.askedBy?.get(name) ?? ['the request']).join(', ')}).`, {
      hint: 'Source packages have names of their own: `apt-cache showsrc <package>` tells them.',
      details: { package: name },
    });
  }
  const files = result.stdout.split('\n').filter((line) => line.startsWith("'")).map((line) => {
    const file = parseSourceLine(line, root.apt.archives);
    if (file === null) throw new Error(`Line of apt-get --print-uris source not understood: ${line}`);
    return file;
  });
  const description = files.find(({ filename }) => filename.endsWith('.dsc'));
  const version = /\/[^/_]+_([^/_]+)\.dsc$/.exec(description?.filename ?? '')?.[1];
  if (version === undefined) throw new Error(`apt names no .dsc for ${name}`);
  return { name, version, files: files.filter(({ filename }) => !/\.(dsc|asc)$/.test(filename)) };
}

/**
 * Checks names before apt sees them, because apt takes an unknown name with a dot or a plus for a pattern.
 * @returns optional sets that the archive has not
 */
async function checkNames(root: AptRoot, request: DebianRequest, settings: ResolveSettings): Promise<Set<string>> {
  const files = await indexFiles(root);
  const known = new Map<string, Set<string>>();
  const namesOf = async (architecture: string, suite: string | undefined): Promise<Set<string>> => {
    const key = `${architecture} ${suite ?? ''}`;
    const cached = known.get(key) ?? (await readPackageNames(indexesOf(files, root.settings, suite).filter((file) => file.endsWith(`_binary-${architecture}_Packages`))));
    known.set(key, cached);
    return cached;
  };
  const absent = new Set<string>();
  for (const [set, { packages, suite, optional }] of requestSets(request)) {
    for (const wanted of packages) {
      const [name = wanted, architecture = request.architecture] = wanted.split(':');
      const names = await namesOf(architecture === 'all' ? request.architecture : architecture, suite);
      if (names.has(name)) continue;
      if (optional !== true) throw await packageMissing(name, architecture, names, indexesOf(files, root.settings, suite), suite === undefined ? settings : { ...settings, suite });
      absent.add(set);
    }
  }
  return absent;
}

async function packageMissing(name: string, architecture: string, names: Set<string>, files: string[], settings: ResolveSettings): Promise<OsbuildError> {
  const having: string[] = [];
  for (const other of ['amd64', 'arm64', 'armhf', 'armel', 'i386'] as const) {
    if (other === architecture) continue;
    if ((await settings.namesOf?.(other))?.has(name) === true) having.push(other);
  }
  const providers = having.length > 0 ? [] : await providersOf(name, architecture, files);
  const near = nearestNames(name, names);
  const hint =
    having.length > 0
      ? `It exists for ${having.join(', ')} only: leave the recipe out of this machine, or name another package.`
      : providers.length > 0
        ? `It is a virtual package: name one of those that provide it, such as ${providers.slice(0, 4).join(', ')}.`
        : near.length > 0
          ? `Did you mean ${near.join(', ')}?`
          : 'Look the name up at packages.debian.org.';
  const asked = settings.askedBy?.get(name) ?? [];
  const by = asked.length === 0 ? '' : ` (asked for by ${asked.join(', ')})`;
  return new OsbuildError('OSB_PACKAGE_MISSING', `Debian ${settings.suite} has no package ${name} for ${architecture}${by}.`, {
    hint,
    details: { package: name, architecture, askedBy: asked, nearest: near, availableFor: having, providers },
  });
}

async function providersOf(name: string, architecture: string, files: string[]): Promise<string[]> {
  const { readFile } = await import('node:fs/promises');
  const providers = new Set<string>();
  const wanted = new RegExp(`^Provides:(?:.*[ ,])?${name.replaceAll(/[.+]/g, '\\$&')}(?:[ ,(]|$)`, 'm');
  for (const file of files.filter((candidate) => candidate.endsWith(`_binary-${architecture}_Packages`))) {
    for (const stanza of (await readFile(file, 'utf8')).split('\n\n')) {
      if (stanza.includes(name) && wanted.test(stanza)) providers.add(/^Package: (.*)$/m.exec(stanza)?.[1] ?? '');
    }
  }
  return [...providers].filter((provider) => provider !== '').toSorted();
}

function aptRefused(set: string, output: string, settings: ResolveSettings): OsbuildError {
  const lines = output.split('\n').map((line) => line.trimEnd());
  const missing = /^E: (?:Unable to locate package (\S+)|Package '([^']+)' has no installation candidate)/m.exec(output);
  const explained = lines.filter((line) => /^ ?\S+ ?:? .*(Depends|Conflicts|Breaks|PreDepends):|^ {2,}(Depends|Conflicts|Breaks|PreDepends|but )/.test(line) || /^ \S+ : /.test(line));
  const what = missing === null ? 'apt cannot satisfy the dependencies' : `there is no package ${missing[1] ?? missing[2] ?? ''}`;
  const first = explained[0]?.trim() ?? lines.find((line) => line.startsWith('E: '))?.slice(3) ?? 'no reason given';
  return new OsbuildError('OSB_PACKAGE_MISSING', `The packages of set ${set} cannot be had together from Debian ${settings.suite}: ${what}: ${first.replaceAll(/\s+/g, ' ')}`, {
    hint: 'Two recipes may ask for packages that exclude each other, or the mirror is in the middle of an update: try again later.',
    details: { set, explanation: explained.length > 0 ? explained.map((line) => line.trim()) : lines.filter((line) => line.startsWith('E: ')) },
  });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
