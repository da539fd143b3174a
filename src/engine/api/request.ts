import { text } from 'host:bytes';
import { EngineError } from '../error.ts';
import { collect, parseQuery, type Exchange, type Query } from '../http/index.ts';

/** A request on its way through a route. */
export interface ApiRequest {
  exchange: Exchange;
  /** What stood in the pattern's braces, decoded. */
  params: Readonly<Record<string, string>>;
  query: Query;
  /** The API version of the path, as [major, minor]. */
  version: readonly [number, number];
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
const JSON_LIMIT_BYTES = 4 * 1024 * 1024;

export function createApiRequest(exchange: Exchange, params: Record<string, string>, version: readonly [number, number]): ApiRequest {
  return { exchange, params, query: parseQuery(exchange.head.query), version };
}

export function param(request: ApiRequest, name: string): string {
  const value = request.params[name];
  if (value === undefined) throw new Error(`the route has no {${name}}`);
  return value;
}

export function sendJson(request: ApiRequest, status: number, value: unknown): Promise<void> {
  return request.exchange.respond(status, JSON_TYPE, `${JSON.stringify(value)}\n`);
}

export function sendEmpty(request: ApiRequest, status: number): Promise<void> {
  return request.exchange.respond(status, {}, '');
}

/** The body as JSON; an empty one is undefined. */
export async function readJson(request: ApiRequest): Promise<unknown> {
  const bytes = await collect(request.exchange.body, JSON_LIMIT_BYTES);
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(text(bytes));
  } catch {
    throw new EngineError('invalid', 'BODY_INVALID', 'invalid JSON in the request body');
  }
}

/** A whole number of the query; undefined when missing. Throws 'invalid' for anything else. */
export function integer(request: ApiRequest, name: string): number | undefined {
  const value = request.query.integer(name);
  if (Number.isNaN(value)) throw new EngineError('invalid', 'QUERY_INVALID', `invalid value for ${name}: ${request.query.get(name) ?? ''}`);
  return value;
}

/** 1.41 or later, say. */
export function atLeast(request: ApiRequest, minor: number): boolean {
  return request.version[0] > 1 || request.version[1] >= minor;
}

/** Docker's `filters`: {"label":["a=b"]}, or {"label":{"a=b":true}} from old clients. Throws 'invalid'. */
export function parseFilters(request: ApiRequest, known: readonly string[]): Map<string, string[]> {
  const filters = new Map<string, string[]>();
  const source = request.query.get('filters');
  if (source === undefined || source === '') return filters;
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    throw new EngineError('invalid', 'FILTER_INVALID', 'invalid filter: it is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw new EngineError('invalid', 'FILTER_INVALID', 'invalid filter');
  for (const [name, given] of Object.entries(value)) {
    if (!known.includes(name)) throw new EngineError('invalid', 'FILTER_INVALID', `invalid filter '${name}'`);
    const values = Array.isArray(given) ? given : typeof given === 'object' && given !== null ? Object.keys(given) : [];
    filters.set(name, values.map(String));
  }
  return filters;
}
