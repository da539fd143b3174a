import { text } from 'host:bytes';
import type { Cancellation } from '../ports/index.ts';
import type { Credentials } from './credentials.ts';
import { errorFromAnswer, RegistryError } from './registry-error.ts';
import { openRepository, type RegistryContext, type Repository } from './repository.ts';
import { follow } from './url.ts';

export interface SearchResult {
  name: string;
  description: string;
  starCount: number;
  isOfficial: boolean;
  isAutomated: boolean;
}

const ANSWER_LIMIT_BYTES = 4 * 1024 * 1024;
const PAGES_LIMIT = 1000;
const PAGE_SIZE = 1000;
/** The index of docker.io stands elsewhere than its images. */
const PUBLIC_INDEX = 'index.docker.io';

/** 'host/term' searches that host, everything else the public index. */
export function parseSearchTerm(term: string): { domain: string; words: string } {
  const slash = term.indexOf('/');
  const first = slash < 0 ? '' : term.slice(0, slash);
  if (!/[.:]/.test(first) && first !== 'localhost') return { domain: 'docker.io', words: term.replace(/^library\//, '') };
  return first === 'docker.io' || first === PUBLIC_INDEX ? { domain: 'docker.io', words: term.slice(slash + 1).replace(/^library\//, '') } : { domain: first, words: term.slice(slash + 1) };
}

/** Asks the registry's search, or where it has none goes through the names of its repositories. Throws RegistryError. */
export async function searchRegistry(context: RegistryContext, term: string, limit: number, credentials: Credentials, cancellation: Cancellation): Promise<SearchResult[]> {
  const { domain, words } = parseSearchTerm(term);
  const host = domain === 'docker.io' ? PUBLIC_INDEX : domain;
  const registry = await openRepository({ ...context, settings: { ...context.settings, registryMirrors: [] } }, { domain: host, path: '' }, credentials, cancellation);
  try {
    // Finds out by which scheme the registry is reached.
    if (domain !== 'docker.io') await registry.ping();
    const found = await searchIndex(registry, words, limit);
    if (found !== undefined) return found;
    const names = await searchCatalog(registry, words, limit);
    return names.map((name) => ({ name: `${domain}/${name}`, description: '', starCount: 0, isOfficial: false, isAutomated: false }));
  } finally {
    registry.close();
  }
}

/** Undefined where there is no such search. */
async function searchIndex(registry: Repository, words: string, limit: number): Promise<SearchResult[] | undefined> {
  const reply = await registry.send(`/v1/search?q=${encodeURIComponent(words)}&n=${limit}`, { method: 'GET' });
  const body = text(await reply.bytes(ANSWER_LIMIT_BYTES));
  if (reply.status !== 200) return undefined;
  try {
    const { results } = JSON.parse(body) as { results?: unknown };
    if (!Array.isArray(results)) return undefined;
    return results.slice(0, limit).flatMap((result: unknown): SearchResult[] => {
      if (typeof result !== 'object' || result === null) return [];
      const { name, description, star_count: stars, is_official: official, is_automated: automated } = result as Record<string, unknown>;
      return typeof name !== 'string' ? [] : [{ name, description: typeof description === 'string' ? description : '', starCount: typeof stars === 'number' ? stars : 0, isOfficial: official === true, isAutomated: automated === true }];
    });
  } catch {
    return undefined;
  }
}

async function searchCatalog(registry: Repository, words: string, limit: number): Promise<string[]> {
  const found: string[] = [];
  let target = `/v2/_catalog?n=${PAGE_SIZE}`;
  for (let page = 0; page < PAGES_LIMIT && found.length < limit; page += 1) {
    const reply = await registry.send(target, { method: 'GET' });
    const body = text(await reply.bytes(ANSWER_LIMIT_BYTES));
    if (reply.status === 404 || reply.status === 405) throw new RegistryError('SEARCH_UNSUPPORTED', 'this registry can neither search nor list its repositories', { status: reply.status });
    if (reply.status !== 200) throw errorFromAnswer(reply.status, body, reply.headers.get('retry-after'));
    const { repositories } = JSON.parse(body) as { repositories?: unknown };
    if (Array.isArray(repositories)) found.push(...repositories.filter((name): name is string => typeof name === 'string' && name.includes(words)));
    const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(reply.headers.get('link') ?? '');
    const next = link === null ? undefined : follow(reply.url, link[1] ?? '');
    if (next === undefined || next.host !== reply.url.host) break;
    target = next.target;
  }
  return found.slice(0, limit);
}
