import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';

import { readYaml, type Project } from '../../config/index.ts';
import { isAddress } from '../../downloads/index.ts';
import { OsbuildError, type MachineSource } from '../../model/index.ts';
import { bundleAgent, connectHost, joinTrees, runOnHost, scanTree, type HostAddress, type SentTree } from '../../remote/index.ts';
import type { Invocation } from '../command.ts';
import { callerHome, hostLogin, parseSshAddress, usualIdentities } from '../ssh-host.ts';
import { publish } from './publish.ts';
import type { Session } from './session.ts';
import { chosenProvider } from './yocto.ts';

interface Builder {
  address: HostAddress;
  identities: string[];
  cache: string | null;
}

/** Builds images on another host, and publishes them here as if they had been built here. */
export async function buildOnHost(invocation: Invocation, session: Session, machines: readonly MachineSource[], word: string, folderOf: (machine: string) => string): Promise<number> {
  const { project } = session;
  const { home, layout, emit, signal, err, flags, remoteCache, bucketCredentials } = invocation;
  const { address, identities, cache } = chooseBuilder(word, project, callerHome(invocation));
  const [program, sent, agent] = await Promise.all([programTree(home), projectTree(project, home, chosenProvider(invocation, project)), bundleAgent(home)]);
  const connection = await connectHost(address, hostLogin(invocation, identities), signal);
  try {
    const run = await runOnHost({
      connection,
      agent,
      cache,
      program,
      project: sent ?? { ...program, folder: '.' },
      words: ['image', ...machines.flatMap(({ name }) => ['--machine', name]), ...['provider', 'mode'].flatMap((option) => forward(option, flags.text(option))), ...(flags.on('locked') ? ['--locked'] : [])],
      environment: { ...bucketCredentials, ...cacheEnvironment(remoteCache) },
      blobs: session.blobs,
      layout,
      emit,
      say: (line) => err(`${line}\n`),
      signal,
    });
    const root = sent?.root ?? home;
    for (const { path, blob } of run.changed) {
      await session.blobs.export(blob.sha256, join(root, path));
      emit({ type: 'notice', level: 'info', code: 'LOCK_WRITTEN', message: `${join(root, path)} is what ${connection.name} resolved` });
    }
    for (const { name } of machines) {
      const artifacts = run.artifacts.filter(({ machine }) => machine === name);
      if (!(await publish(folderOf(name), name, artifacts, session.blobs, emit))) {
        throw new OsbuildError('OSB_CACHE_CORRUPT', `artifacts of ${name} are damaged as soon as they are stored`, { hint: `check the disk that holds ${layout.root}` });
      }
    }
    return 0;
  } finally {
    connection.close();
  }
}

const forward = (option: string, value: string | undefined): string[] => (value === undefined ? [] : [`--${option}`, value]);

function cacheEnvironment({ url, push, token }: Invocation['remoteCache']): Record<string, string> {
  return { ...(url === undefined ? {} : { OSBUILD_REMOTE_CACHE: url }), ...(push === undefined ? {} : { OSBUILD_REMOTE_CACHE_PUSH: push ? '1' : '0' }), ...(token === undefined ? {} : { OSBUILD_REMOTE_CACHE_TOKEN: token }) };
}

/** One of the project's builders by its name, else an address. Throws OSB_USAGE. */
export function chooseBuilder(word: string, { build }: Pick<Project, 'build'>, home: string): Builder {
  const builders = build.remoteBuilders ?? {};
  const standard = usualIdentities(home);
  const named = Object.hasOwn(builders, word) ? builders[word] : undefined;
  if (named !== undefined) {
    const { host, port = 22, user = userInfo().username, identity, cache } = named;
    return { address: { host, port, user }, identities: identity === undefined ? standard : [identity.startsWith('~/') ? join(home, identity.slice(2)) : identity], cache: cache ?? null };
  }
  const address = parseSshAddress(word, { user: userInfo().username, port: 22 });
  if (address === null) {
    throw new OsbuildError('OSB_USAGE', `--on "${word}" is neither a builder of this project nor an address`, { hint: `[user@]host[:port]${Object.keys(builders).length === 0 ? '' : `, or one of ${Object.keys(builders).toSorted().join(', ')}`}` });
  }
  return { address, identities: standard, cache: null };
}

/** The program: what its package holds. */
async function programTree(home: string): Promise<SentTree> {
  const { files } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as { files: string[] };
  const parts = [...files, 'package.json', 'package-lock.json'].filter((path) => path !== 'dist');
  return joinTrees(await Promise.all(parts.map((path) => scanTree(home, path, (inside) => inside.endsWith('__pycache__')))));
}

/** What the project consists of with its bases, laid out as here; null: it is the program's own. */
export async function projectTree(project: Project, home: string, provider: string): Promise<(SentTree & { root: string; folder: string }) | null> {
  if (project.folder === home) return null;
  if (project.build.secureBoot !== undefined || (project.build.updates?.signWith ?? []).length > 0) {
    throw new OsbuildError('OSB_CONFIG_INVALID', 'build.config.yaml signs with private keys, which are not sent to another host', { hint: 'run osbuild where the keys are; a shared cache (remoteCache) saves most of the work there' });
  }
  const folders = await foldersOf(project.folder, home);
  const parts = folders.flatMap((folder) => ['build.config.yaml', 'machines', 'recipes'].map((name) => join(folder, name)));
  const { debian, yocto } = project.build;
  if (debian?.keyring !== undefined) parts.push(join(project.folder, debian.keyring));
  for (const [name, { path }] of provider === 'yocto' ? Object.entries(yocto?.layers ?? {}) : []) {
    if (path === undefined) continue;
    if (isAbsolute(path)) throw new OsbuildError('OSB_CONFIG_INVALID', `yocto.layers.${name}: the folder ${path} is of this machine alone`, { hint: 'for builds on another host name it relative to the project, or a repository and its commit' });
    parts.push(join(project.folder, path));
  }
  // An absolute one is of this machine alone: the other asks the next place.
  for (const mirror of project.build.files?.mirrors ?? []) if (!isAddress(mirror) && !isAbsolute(mirror)) parts.push(join(project.folder, mirror));
  const root = commonFolder([project.folder, ...parts.map(dirname)]);
  const trees = await Promise.all(parts.map((part) => scanTree(root, relative(root, part), (inside) => /(^|\/)(\.git|__pycache__)$/.test(inside))));
  return { ...joinTrees(trees), root, folder: relative(root, project.folder) || '.' };
}

/** The project's folder and those of its bases but the program's own, which `base: osbuild` finds there as well. */
async function foldersOf(folder: string, home: string): Promise<string[]> {
  const { base } = await readYaml('build', join(folder, 'build.config.yaml'));
  if (base === undefined || base === 'osbuild') return [folder];
  if (isAbsolute(base)) throw new OsbuildError('OSB_CONFIG_INVALID', `${join(folder, 'build.config.yaml')}: base: ${base} is a folder of this machine alone`, { hint: 'for builds on another host name it relative to the project' });
  return [folder, ...(await foldersOf(resolve(folder, base), home))];
}

function commonFolder(folders: readonly string[]): string {
  const [first = '/', ...others] = folders;
  return others.reduce((common, folder) => {
    let above = common;
    while (folder !== above && !folder.startsWith(above === '/' ? '/' : `${above}/`)) above = dirname(above);
    return above;
  }, first);
}
