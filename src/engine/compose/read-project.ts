import { EngineError, messageOf } from '../error.ts';
import { readEnvFile } from './env-file.ts';
import { Field, remarkText, type Notes } from './field.ts';
import type { Project, Resource, Service } from './project.ts';
import { readNetwork, readSharedFile, readVolume } from './read-resources.ts';
import { readService } from './read-service.ts';
import type { SharedFile, Surroundings } from './surroundings.ts';
import { readYaml, YamlError, type YamlNode } from './yaml/index.ts';

export interface ReadProject {
  readonly project: Project;
  readonly warnings: readonly string[];
}

/** As Docker takes them. */
const NAME = /^[a-z0-9][a-z0-9_-]*$/;

/** Everything that is wrong with a compose file, a line each, with its place. */
export class ComposeError extends EngineError {
  readonly problems: readonly string[];

  constructor(file: string, problems: readonly string[]) {
    super('invalid', 'COMPOSE_INVALID', problems.map((problem) => `${file}: ${problem}`).join('\n'));
    this.problems = problems;
  }
}

/** Reads a compose file and all that it refers to. Throws ComposeError with everything that is wrong with it. */
export function readProject(text: string, surroundings: Surroundings): ReadProject {
  const fail = (...problems: string[]): never => {
    throw new ComposeError(surroundings.file, problems);
  };
  const variables = dotEnv(surroundings, fail);
  const notes: Notes = { errors: [], warnings: [], lookup: (name) => variables.get(name) ?? undefined };
  let root: YamlNode;
  try {
    root = readYaml(text);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    return fail(`line ${error.line}: ${error.message}`);
  }
  const project = readRoot(new Field(root, '', notes), notes, surroundings);
  if (notes.errors.length > 0) fail(...notes.errors.toSorted((a, b) => a.line - b.line).map(remarkText));
  const warnings = new Set(notes.warnings.map(remarkText));
  return { project, warnings: [...warnings] };
}

function dotEnv({ folder, readText }: Surroundings, fail: (problem: string) => never): Map<string, string | null> {
  try {
    return readEnvFile(readText(`${folder}/.env`) ?? '', () => undefined);
  } catch (error) {
    return fail(`.env: ${messageOf(error)}`);
  }
}

function readRoot(root: Field, notes: Notes, surroundings: Surroundings): Project {
  const { lookup } = notes;
  for (const [key, field] of root.entries()) {
    if (key === 'include') field.fail('not supported: put all services into this file');
    else if (key === 'models') field.fail('not supported');
    else if (!['version', 'name', 'services', 'networks', 'volumes', 'configs', 'secrets'].includes(key) && !key.startsWith('x-')) field.fail('there is no such key');
  }
  const named = root.get('name');
  const name = lookup('COMPOSE_PROJECT_NAME') ?? named?.text() ?? (surroundings.folder.split('/').at(-1) ?? '').toLowerCase().replaceAll(/[^a-z0-9_-]/g, '').replace(/^[_-]+/, '');
  if (!NAME.test(name)) (named ?? root).fail(`${JSON.stringify(name)} cannot be the project's name: small letters, digits, - and _`);
  const every = <T>(key: string, read: (key: string, field: Field) => T | undefined): Map<string, T> =>
    new Map((root.get(key)?.entries() ?? []).flatMap(([entry, field]): [string, T][] => {
      const value = read(entry, field);
      return value === undefined ? [] : [[entry, value]];
    }));
  const contents: Record<string, string> = {};
  const networks = every('networks', (key, field) => readNetwork(key, field, name, surroundings));
  if (!networks.has('default')) networks.set('default', { key: 'default', name: `${name}_default`, external: false, labels: {}, hash: surroundings.hash(`${name}_default`), body: { Driver: 'bridge' } });
  const volumes = every('volumes', (key, field) => readVolume(key, field, name, surroundings));
  const configs = every<SharedFile>('configs', (_, field) => readSharedFile(field, surroundings, contents, lookup));
  const secrets = every<SharedFile>('secrets', (_, field) => readSharedFile(field, surroundings, contents, lookup));
  const active = activeServices(root.get('services'), lookup('COMPOSE_PROFILES'));
  const context = { surroundings, projectName: name, serviceNames: new Set(active.keys()), networks, volumes, configs, secrets, variable: lookup };
  if (root.get('services') === undefined) root.fail('names no services (an empty mapping, {}, removes all that there were)');
  const services = [...active].map(([key, field]) => readService(key, field, context)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const circle = findCircle(services);
  if (circle !== undefined) active.get(circle[0] ?? '')?.fail(`services wait for each other: ${circle.join(', ')}`);
  const used = new Set(services.flatMap(({ networks: own }) => Object.keys(own ?? {})));
  const needed = ({ name: resource }: Resource): boolean => used.has(resource);
  return { format: 1, name, file: surroundings.file, folder: surroundings.folder, services, networks: [...networks.values()].filter(needed), volumes: [...volumes.values()], contents };
}

/** Services without profiles, and those whose profiles are asked for. */
function activeServices(field: Field | undefined, profiles: string | undefined): Map<string, Field> {
  const wanted = new Set((profiles ?? '').split(',').map((profile) => profile.trim()));
  const active = new Map<string, Field>();
  for (const [name, service] of field?.entries() ?? []) {
    if (!/^[a-zA-Z0-9._-]+$/.test(name)) service.fail('a name has letters, digits, ".", "_" and "-" alone');
    if (!service.isMap) {
      service.fail('has to be a mapping (key: value)');
      continue;
    }
    const own = service.get('profiles')?.texts() ?? [];
    if (own.length === 0 || wanted.has('*') || own.some((profile) => wanted.has(profile))) active.set(name, service);
  }
  return active;
}

/** Services each of which waits for the next, the last one for the first. */
function findCircle(services: readonly Service[]): string[] | undefined {
  const byName = new Map(services.map((service) => [service.name, service]));
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(name)) return path.slice(path.indexOf(name));
    if (done.has(name)) return undefined;
    for (const { service } of byName.get(name)?.dependsOn ?? []) {
      const circle = visit(service, [...path, name]);
      if (circle !== undefined) return circle;
    }
    done.add(name);
    return undefined;
  };
  for (const { name } of services) {
    const circle = visit(name, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}
