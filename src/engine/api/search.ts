import { EngineError, messageOf } from '../error.ts';
import { decodeAuthHeader, RegistryError, searchRegistry, type SearchResult } from '../registry/index.ts';
import type { ApiContext } from './context.ts';
import { integer, parseFilters, sendJson, type ApiRequest } from './request.ts';

const DEFAULT_LIMIT = 25;

/** GET /images/search. */
export async function search({ registry }: ApiContext, request: ApiRequest): Promise<void> {
  const term = request.query.get('term') ?? '';
  if (term.trim() === '') throw new EngineError('invalid', 'TERM_MISSING', 'search term can not be empty');
  const limit = integer(request, 'limit') || DEFAULT_LIMIT;
  if (limit < 1 || limit > 100) throw new EngineError('invalid', 'LIMIT_INVALID', `limit ${limit} is outside the range of [1, 100]`);
  const keep = filterOf(parseFilters(request, ['is-automated', 'is-official', 'stars']));
  const credentials = decodeAuthHeader(request.exchange.head.headers.get('x-registry-auth'));
  try {
    const found = await searchRegistry(registry, term, limit, credentials, request.exchange.gone);
    await sendJson(request, 200, found.filter(keep).map(({ name, description, starCount, isOfficial, isAutomated }) => ({ name, description, star_count: starCount, is_official: isOfficial, is_automated: isAutomated })));
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    throw new EngineError(error.status === 401 ? 'unauthorized' : 'unavailable', 'SEARCH_FAILED', `the search for ${term} failed: ${messageOf(error)}`, { cause: error });
  }
}

function filterOf(filters: ReadonlyMap<string, readonly string[]>): (result: SearchResult) => boolean {
  const flag = (name: string): boolean | undefined => {
    const value = filters.get(name)?.[0];
    if (value !== undefined && !['true', 'false', '1', '0'].includes(value)) throw new EngineError('invalid', 'FILTER_INVALID', `invalid filter '${name}=[${value}]'`);
    return value === undefined ? undefined : value === 'true' || value === '1';
  };
  const [official, automated] = [flag('is-official'), flag('is-automated')];
  const stars = (filters.get('stars') ?? []).map((value) => {
    if (!/^\d{1,9}$/.test(value)) throw new EngineError('invalid', 'FILTER_INVALID', `invalid filter 'stars=[${value}]'`);
    return Number(value);
  });
  return ({ starCount, isOfficial, isAutomated }) => (official === undefined || isOfficial === official) && (automated === undefined || isAutomated === automated) && stars.every((least) => starCount >= least);
}
