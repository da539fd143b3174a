import { OsbuildError } from '../model/index.ts';

/** An image in a registry: `registry.example:5000/team/os:2`. */
export interface ImageName {
  /** As it stands in the name, with the port. */
  registry: string;
  path: string;
  tag?: string;
  digest?: string;
}

const hub = 'docker.io';
const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const pathPattern = new RegExp(`^${component}(?:/${component})*$`);
const hostPattern = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
export const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

/** Reads a name as Docker does: what comes before the first slash is a registry if it could be a host, else the name is one of Docker Hub's. @throws OSB_USAGE */
export function parseImageName(text: string): ImageName {
  const invalid = (why: string): OsbuildError => new OsbuildError('OSB_USAGE', `"${text}" is no name of an image: ${why}`, { hint: 'such as registry.example.com/team/os:1.2.0' });
  if (/^[a-z]+:\/\//.test(text)) throw invalid('it is without https://');
  const [named = '', digest, ...more] = text.split('@');
  if (more.length > 0 || (digest !== undefined && !digestPattern.test(digest))) throw invalid('what follows the @ is no digest');
  const slash = named.indexOf('/');
  const first = named.slice(0, Math.max(0, slash));
  const hosted = slash > 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const registry = hosted ? first : hub;
  const rest = hosted ? named.slice(slash + 1) : named;
  const colon = rest.indexOf(':');
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  const path = colon < 0 ? rest : rest.slice(0, colon);
  if (!hostPattern.test(registry)) throw invalid(`${registry} is no host`);
  if (path === '') throw invalid('it has no repository');
  if (path !== path.toLowerCase()) throw invalid('repositories are in small letters');
  if (!pathPattern.test(path)) throw invalid(`${path} is no repository`);
  if (tag !== undefined && !tagPattern.test(tag)) throw invalid(`${tag} is no tag`);
  return {
    registry: registry === 'index.docker.io' ? hub : registry,
    path: registry === hub && !path.includes('/') ? `library/${path}` : path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

export function formatImageName({ registry, path, tag, digest }: ImageName): string {
  return `${registry}/${path}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** Where the registry of a name listens, as `host[:port]`. */
export function registryHost({ registry }: Pick<ImageName, 'registry'>): string {
  return registry === hub ? 'registry-1.docker.io' : registry;
}

/** Under which the registry's login is kept by Docker. */
export function loginKey({ registry }: Pick<ImageName, 'registry'>): string {
  return registry === hub ? 'https://index.docker.io/v1/' : registry;
}
