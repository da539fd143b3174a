import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, dirname, relative, resolve, sep } from 'node:path';

import { readEnvFile } from '../engine/compose/env-file.ts';
import { Field, remarkText, type Notes } from '../engine/compose/field.ts';
import { ComposeError, readProject } from '../engine/compose/read-project.ts';
import { readYaml, YamlError, type YamlMap, type YamlNode, type YamlScalar } from '../engine/compose/yaml/index.ts';
import { OsbuildError, type SourceFile } from '../model/index.ts';
import { bindSources, readApplications } from '../preload/index.ts';
import { emitYaml } from './emit.ts';

/** An image that a service wants built. */
export interface Build {
  service: string;
  /** Folder of this machine. */
  context: string;
  /** Path in the context, or of a file elsewhere on this machine. */
  dockerfile: string;
  /** In place of a file. */
  inline: string | null;
  args: Record<string, string>;
  labels: Record<string, string>;
  target: string;
  network: string;
  platform: string;
  noCache: boolean;
  pull: boolean;
}

export interface Deployment {
  /** The compose file. */
  file: string;
  folder: string;
  builds: Build[];
  /** What goes beside the compose file on the device: all that it refers to below its folder. */
  files: SourceFile[];
  services: string[];
  /** Files and folders beside the compose file that services have mounted, by service. */
  binds: ReadonlyMap<string, string[]>;
  warnings: string[];
  /** The compose file for the device. @param images by service: what was built for it */
  compose(images: ReadonlyMap<string, string>): string;
}

const buildKeys = ['context', 'dockerfile', 'dockerfile_inline', 'args', 'labels', 'target', 'network', 'no_cache', 'pull', 'tags'];
const notBuilt = /: services\.[^ ]+: names no image: images are not built here/;
/** What the device's reader says of `build`. */
const leftOut = 'left out: images are not built here';

/**
 * Reads a compose file as the device will, and what it wants built, which the device does not read.
 * @throws OSB_CONFIG_INVALID with everything that is wrong with it
 */
export function readDeployment(file: string): Deployment {
  const folder = dirname(file);
  const text = read(file);
  if (text === null) throw new OsbuildError('OSB_CONFIG_INVALID', `there is no compose file ${file}`, { hint: 'osbuild deploy [folder or compose file] --host DEVICE' });
  const invalid = (problems: readonly string[]): never => {
    throw new OsbuildError('OSB_CONFIG_INVALID', problems.map((problem) => `${file}: ${problem}`).join('\n'), { hint: 'docs/applications.md tells what a device takes of a compose file; nothing was sent' });
  };
  let root: YamlNode;
  try {
    root = readYaml(text);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    return invalid([`line ${error.line}: ${error.message}`]);
  }
  const variables = readEnvFile(read(resolve(folder, '.env')) ?? '', () => undefined);
  const notes: Notes = { errors: [], warnings: [], lookup: (name) => variables.get(name) ?? undefined };
  const declared = new Field(root, '', notes).get('services');
  const builds = (declared?.isMap === true ? declared.entries() : []).flatMap(([service, field]) => {
    const build = field.isMap ? field.get('build') : undefined;
    return build === undefined ? [] : [readBuild(service, build, field.get('platform')?.text() ?? '', folder)];
  });
  // As the file stands, so that lines are right; that images are missing is not wrong here.
  const problems = [...notes.errors.map(remarkText), ...problemsOf(text, file, folder)];
  if (problems.length > 0) invalid([...new Set(problems)]);
  const compose = (images: ReadonlyMap<string, string>): string => `# Made by osbuild deploy of ${basename(file)}.\n${emitYaml(withImages(root, images))}`;
  // Only services that run: those of other profiles are not built either.
  const placeholders = new Map(builds.map(({ service }) => [service, `osbuild-deploy/${service.toLowerCase()}`]));
  const { files, warnings, services, project } = readApplications(file, () => compose(placeholders));
  const binds = new Map(project.services.map((service) => [service.name, bindSources(service).filter((source) => source.startsWith(`${folder}${sep}`)).map((source) => relative(folder, source))]));
  return { file, folder, builds: builds.filter(({ service }) => services.includes(service)), files: files.filter(({ path }) => path !== basename(file)), services, binds, warnings: [...notes.warnings.map(remarkText), ...warnings].filter((warning) => !warning.includes(leftOut)), compose };
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function problemsOf(text: string, file: string, folder: string): string[] {
  const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex');
  const readText = (path: string): string | undefined => read(path) ?? undefined;
  try {
    readProject(text, { file, folder, contents: '/contents', readText, hash: sha256, hashFile: (path) => {
      const content = readText(path);
      return content === undefined ? undefined : sha256(content);
    } });
    return [];
  } catch (error) {
    if (!(error instanceof ComposeError)) throw error;
    return error.problems.filter((problem) => !(notBuilt.test(problem) && /\.build: names no image/.test(problem)));
  }
}

function readBuild(service: string, field: Field, platform: string, folder: string): Build {
  const map = field.isMap ? field : undefined;
  for (const [key, value] of map?.entries() ?? []) if (!buildKeys.includes(key) && !key.startsWith('x-')) value.fail('osbuild deploy has no such key of build');
  map?.get('tags')?.warn('left out: images of a deploy have names of their own');
  const place = (map === undefined ? field.text() : map.get('context')?.text()) ?? '.';
  if (/^(?:[a-z+]+:\/\/|git@|[^/]+\.git(?:#|$))/.test(place)) field.fail(`${JSON.stringify(place)}: a context is a folder here`);
  const inline = map?.get('dockerfile_inline')?.text() ?? null;
  return {
    service,
    context: resolve(folder, place),
    dockerfile: map?.get('dockerfile')?.text() ?? 'Dockerfile',
    inline,
    args: Object.fromEntries([...(map?.get('args')?.pairs() ?? [])].map(([name, value]) => [name, value ?? field.notes.lookup(name) ?? ''])),
    labels: map?.get('labels')?.labels() ?? {},
    target: map?.get('target')?.text() ?? '',
    network: map?.get('network')?.text() ?? '',
    platform,
    noCache: map?.get('no_cache')?.flag() ?? false,
    pull: map?.get('pull')?.flag() ?? false,
  };
}

const scalarOf = (value: string): YamlScalar => ({ kind: 'scalar', line: 0, text: value, value });

/** Services get the images that were built for them in place of `build`, and so do those that name the same image. Pure. */
function withImages(root: YamlNode, images: ReadonlyMap<string, string>): YamlNode {
  const services = root.kind === 'map' ? root.entries.get('services') : undefined;
  if (root.kind !== 'map' || services?.kind !== 'map') return root;
  const named = new Map<string, string>();
  for (const [name, service] of services.entries) {
    const image = service.kind === 'map' && service.entries.has('build') ? service.entries.get('image') : undefined;
    const built = images.get(name);
    if (image?.kind === 'scalar' && built !== undefined) named.set(image.text, built);
  }
  const replaced = new Map([...services.entries].map(([name, service]): [string, YamlNode] => {
    if (service.kind !== 'map') return [name, service];
    const image = service.entries.get('image');
    const built = images.get(name) ?? (image?.kind === 'scalar' ? named.get(image.text) : undefined);
    if (built === undefined) return [name, service];
    const entries = new Map([...service.entries].filter(([key]) => key !== 'build'));
    // It is in no registry: nobody's image of that name may take its place.
    return [name, { ...service, entries: entries.set('image', scalarOf(built)).set('pull_policy', scalarOf('never')) } satisfies YamlMap];
  }));
  return { ...root, entries: new Map([...root.entries].map(([key, node]) => [key, key === 'services' ? { ...services, entries: replaced } : node])) };
}
