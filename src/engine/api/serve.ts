import { EngineError } from '../error.ts';
import { HttpError, type Exchange } from '../http/index.ts';
import { API_VERSION, API_VERSION_MIN } from '../version.ts';
import type { ApiContext } from './context.ts';
import { createApiRequest, sendEmpty, sendJson } from './request.ts';
import { createRouter } from './router.ts';
import { ROUTES } from './routes.ts';
import { errorAnswer } from './status.ts';

/** Answers one request, errors included. Only what HTTP itself forbids is thrown on. */
export function createApi(context: ApiContext): (exchange: Exchange) => Promise<void> {
  const router = createRouter(ROUTES);
  const { reporter } = context.containers.system;
  return async (exchange) => {
    const { method, path } = exchange.head;
    const { version, local } = splitVersion(path);
    const request = createApiRequest(exchange, {}, version);
    try {
      checkVersion(version);
      const match = router.match(method, local);
      if (match.kind === 'unknown') throw new EngineError('not-found', 'ROUTE_UNKNOWN', 'page not found');
      if (match.kind === 'wrong-method') {
        await sendJson(request, 405, { message: 'method not allowed' });
        return;
      }
      await match.handler(context, { ...request, params: match.params });
    } catch (error) {
      if (error instanceof HttpError || exchange.answered) throw error;
      const { status, message, unexpected } = errorAnswer(error);
      if (unexpected) reporter.log('error', 'a request failed', { request: `${method} ${path}`, error: message, stack: error instanceof Error ? (error.stack ?? '') : '' });
      else reporter.log('debug', 'a request was refused', { request: `${method} ${path}`, status, error: message });
      await (status === 304 ? sendEmpty(request, status) : sendJson(request, status, { message }));
    }
  };
}

const CURRENT = parseVersion(API_VERSION);
const MINIMUM = parseVersion(API_VERSION_MIN);

function splitVersion(path: string): { version: readonly [number, number]; local: string } {
  const match = /^\/v(\d{1,3}\.\d{1,3})(\/.*)$/.exec(path);
  return match === null ? { version: CURRENT, local: path } : { version: parseVersion(match[1] ?? ''), local: match[2] ?? '' };
}

function parseVersion(text: string): readonly [number, number] {
  const [major = '0', minor = '0'] = text.split('.');
  return [Number(major), Number(minor)];
}

function checkVersion(version: readonly [number, number]): void {
  const shown = version.join('.');
  if (isBelow(CURRENT, version)) throw new EngineError('invalid', 'API_TOO_NEW', `client version ${shown} is too new. Maximum supported API version is ${API_VERSION}`);
  if (isBelow(version, MINIMUM)) {
    throw new EngineError('invalid', 'API_TOO_OLD', `client version ${shown} is too old. Minimum supported API version is ${API_VERSION_MIN}, please upgrade your client to a newer version`);
  }
}

function isBelow(a: readonly [number, number], b: readonly [number, number]): boolean {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);
}
