import { EngineError } from '../error.ts';

/** A name of an image, made whole: `busybox` is docker.io / library/busybox / latest. */
export interface Reference {
  domain: string;
  /** Repository path below the domain. */
  path: string;
  tag: string | undefined;
  /** 'sha256:…' */
  digest: string | undefined;
}

const DEFAULT_DOMAIN = 'docker.io';
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const DOMAIN = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d+)?$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const NAME_LIMIT = 255;

/** Throws 'invalid' with Docker's words. A reference without tag and digest keeps both undefined. */
export function parseReference(text: string): Reference {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const named = at < 0 ? text : text.slice(0, at);
  const slash = named.lastIndexOf('/');
  const colon = named.indexOf(':', slash + 1);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  const name = colon < 0 ? named : named.slice(0, colon);
  const { domain, path } = splitDomain(name);
  if (path.toLowerCase() !== path && PATH.test(path.toLowerCase())) {
    throw invalid(`invalid reference format: repository name (${path}) must be lowercase`);
  }
  if (/^[0-9a-f]{64}$/.test(text)) throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  const good = PATH.test(path) && DOMAIN.test(domain) && (tag === undefined || TAG.test(tag)) && (digest === undefined || DIGEST.test(digest));
  if (!good || path.length > NAME_LIMIT) throw invalid('invalid reference format');
  return { domain, path, tag, digest };
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', 'REFERENCE_INVALID', message);
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isDomain = /[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first;
  const domain = isDomain ? first : DEFAULT_DOMAIN;
  const path = isDomain ? name.slice(slash + 1) : name;
  if (domain === 'index.docker.io') return splitDomain(`${DEFAULT_DOMAIN}/${path}`);
  return { domain, path: domain === DEFAULT_DOMAIN && !path.includes('/') && path !== '' ? `library/${path}` : path };
}

/** Adds ':latest' where neither tag nor digest is given. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;
}

/** Whole form, the key under which names are stored: 'docker.io/library/busybox:latest'. */
export function canonicalName(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${reference.domain}/${reference.path}${tag}${digest}`;
}

/** The repository as people write it: 'busybox', 'user/app', 'localhost:5000/app'. */
export function familiarRepository(reference: Reference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return `${reference.domain}/${reference.path}`;
  return reference.path.startsWith('library/') ? reference.path.slice('library/'.length) : reference.path;
}

export function familiarName(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${familiarRepository(reference)}${tag}${digest}`;
}
