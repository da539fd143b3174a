import type { ApiRequest } from './request.ts';

export type Handler<Context> = (context: Context, request: ApiRequest) => Promise<void>;

/** Method, pattern, handler. '{name}' is one segment, '{name*}' several. */
export type Route<Context> = readonly ['GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE', string, Handler<Context>];

export type Match<Context> = { kind: 'found'; handler: Handler<Context>; params: Record<string, string> } | { kind: 'wrong-method' } | { kind: 'unknown' };

interface CompiledRoute<Context> {
  method: string;
  expression: RegExp;
  names: string[];
  handler: Handler<Context>;
}

export interface Router<Context> {
  /** `path` without the version, percent-encoded. HEAD is answered by GET's handler if it has none of its own. */
  match(method: string, path: string): Match<Context>;
}

export function createRouter<Context>(routes: readonly Route<Context>[]): Router<Context> {
  const compiled = routes.map(([method, pattern, handler]): CompiledRoute<Context> => {
    const names: string[] = [];
    const source = pattern.replaceAll(/\{(\w+)(\*?)\}/g, (_, name: string, many: string) => {
      names.push(name);
      return many === '' ? '([^/]+)' : '(.+)';
    });
    return { method, expression: new RegExp(`^${source}$`), names, handler };
  });
  const find = (method: string, path: string): Match<Context> => {
    let otherMethod = false;
    for (const route of compiled) {
      const match = route.expression.exec(path);
      if (match === null) continue;
      if (route.method !== method) {
        otherMethod = true;
        continue;
      }
      const params: Record<string, string> = {};
      for (const [index, name] of route.names.entries()) params[name] = decodeSegment(match[index + 1] ?? '');
      return { kind: 'found', handler: route.handler, params };
    }
    return otherMethod ? { kind: 'wrong-method' } : { kind: 'unknown' };
  };
  return {
    match(method, path) {
      const exact = find(method, path);
      return exact.kind !== 'found' && method === 'HEAD' ? find('GET', path) : exact;
    },
  };
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
