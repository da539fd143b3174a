import { createHttpClient, HttpClientError, jsonLines, type HijackedConnection, type HttpAnswer, type PullSource } from '../../http/client.ts';
import { CliError } from '../cli-error.ts';
import type { ClientConfig } from '../client-config.ts';
import { API_VERSION, API_VERSION_MIN } from '../../version.ts';
import { errorCode, reasonOf, type CliPorts } from '../ports.ts';

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface ApiRequest {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly body?: Uint8Array | PullSource;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The engine's API; paths go without the version. Failures are ApiError (the daemon refused) or CliError (it is out of reach). */
export interface ApiClient {
  /** API version agreed on with the daemon, such as "1.47". */
  version(): Promise<string>;
  get<T>(path: string, query?: Query): Promise<T>;
  /** The body as it came. */
  getText(path: string, query?: Query): Promise<string>;
  post<T>(path: string, request?: ApiRequest): Promise<T>;
  delete<T>(path: string, query?: Query): Promise<T>;
  /** An answer whose body is read bit by bit. */
  stream(method: string, path: string, request?: ApiRequest): Promise<HttpAnswer>;
  /** JSON values one by one, as the daemon sends them. */
  values(method: string, path: string, request?: ApiRequest): AsyncGenerator<unknown>;
  hijack(path: string, request?: ApiRequest): Promise<HijackedConnection>;
  close(): void;
}

/** The daemon answered with an error status. */
export class ApiError extends CliError {
  override name = 'ApiError';
  readonly status: number;
  /** The daemon's own words. */
  readonly reason: string;

  constructor(status: number, reason: string) {
    super(`Error response from daemon: ${reason}`);
    this.status = status;
    this.reason = reason;
  }
}

const newestVersion = API_VERSION;
const oldestVersion = API_VERSION_MIN;

export function queryText(query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => {
    if (value === undefined || value === '') return [];
    const values = typeof value === 'object' ? value : [typeof value === 'boolean' ? (value ? '1' : '0') : String(value)];
    return values.map((item) => `${encodeURIComponent(name)}=${encodeURIComponent(item)}`);
  });
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  return (left[0] ?? 0) - (right[0] ?? 0) || (left[1] ?? 0) - (right[1] ?? 0);
}

export function createApiClient(ports: CliPorts, config: ClientConfig, options: { program: string; clientVersion: string }): ApiClient {
  const { endpoint } = config;
  const http = createHttpClient({
    dial: () => ports.dial(endpoint),
    codec: ports.codec,
    host: endpoint.kind === 'unix' ? 'api.minke.localhost' : `${endpoint.host}:${endpoint.port}`,
    userAgent: `Minke-Client/${options.clientVersion} (linux)`,
    headers: config.httpHeaders,
  });
  let negotiated: Promise<string> | undefined;

  async function negotiate(): Promise<string> {
    const fixed = ports.process.environment()['DOCKER_API_VERSION'];
    if (fixed) return fixed.replace(/^v/, '');
    const answer = await reach(() => http.send({ method: 'GET', target: '/_ping' }));
    await answer.text();
    const offered = answer.headers.get('api-version') ?? oldestVersion;
    return compareVersions(offered, newestVersion) < 0 ? offered : newestVersion;
  }
  const version = () => (negotiated ??= negotiate());

  async function reach<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw translate(error, config.host, options.program);
    }
  }

  async function prepared(method: string, path: string, request: ApiRequest) {
    const target = `/v${await version()}${path}${queryText(request.query ?? {})}`;
    const json = request.json === undefined ? undefined : JSON.stringify(request.json);
    const contentType = request.contentType ?? (json === undefined ? undefined : 'application/json');
    const body = json ?? request.body;
    return {
      method, target,
      headers: { ...request.headers, ...(contentType === undefined ? {} : { 'Content-Type': contentType }) },
      ...(body === undefined ? {} : { body }),
    };
  }

  async function stream(method: string, path: string, request: ApiRequest = {}): Promise<HttpAnswer> {
    const ready = await prepared(method, path, request);
    const answer = await reach(() => http.send(ready));
    if (answer.status >= 400) throw await refusal(answer);
    const guarded: PullSource = { read: () => reach(() => answer.body.read()) };
    return { ...answer, body: guarded, text: () => reach(() => answer.text()) };
  }

  async function whole(method: string, path: string, request: ApiRequest = {}): Promise<string> {
    return (await stream(method, path, request)).text();
  }

  async function parsed<T>(method: string, path: string, request: ApiRequest = {}): Promise<T> {
    const text = await whole(method, path, request);
    if (text.trim() === '') return undefined as T;
    try {
      return JSON.parse(text) as T;
    } catch {
      throw new CliError(`the daemon's answer to ${method} ${path} is not JSON: ${text.slice(0, 80)}`);
    }
  }

  return {
    version,
    stream,
    get: (path, query = {}) => parsed('GET', path, { query }),
    getText: (path, query = {}) => whole('GET', path, { query }),
    post: (path, request) => parsed('POST', path, request),
    delete: (path, query = {}) => parsed('DELETE', path, { query }),
    async* values(method, path, request) {
      const answer = await stream(method, path, request);
      try {
        for await (const value of jsonLines(answer.body, ports.codec)) yield value;
      } finally {
        answer.close();
      }
    },
    async hijack(path, request = {}) {
      const ready = await prepared('POST', path, request);
      const result = await reach(() => http.hijack(ready));
      if (result.kind === 'refused') throw await refusal(result.answer);
      return result.connection;
    },
    close: () => http.close(),
  };
}

async function refusal(answer: HttpAnswer): Promise<ApiError> {
  const text = await answer.text().catch(() => '');
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string') return new ApiError(answer.status, value.message);
  } catch {
    // Not JSON: shown as it is.
  }
  return new ApiError(answer.status, text.trim() || `${answer.status} ${answer.reason}`);
}

function translate(error: unknown, host: string, program: string): unknown {
  if (error instanceof CliError) return error;
  const name = program === 'docker' ? 'Docker' : program;
  const code = errorCode(error);
  if (error instanceof HttpClientError) {
    return error.code === 'closed'
      ? new CliError(`error during connect: the ${name} daemon at ${host} closed the connection: ${error.message}. Was it stopped or restarted?`, 1, { cause: error })
      : new CliError(`${host} does not answer like the ${name} daemon: ${error.message}`, 1, { cause: error });
  }
  switch (code) {
    case 'ENOENT': case 'ECONNREFUSED': case 'EHOSTUNREACH': case 'ENETUNREACH': case 'ETIMEDOUT':
      return new CliError(`Cannot connect to the ${name} daemon at ${host}. Is the ${program} daemon running?`, 1, { cause: error });
    case 'EACCES': case 'EPERM':
      return new CliError(`permission denied while trying to connect to the ${name} daemon socket at ${host}: run as root, or as a member of the group that owns the socket`, 1, { cause: error });
    case 'ECONNRESET': case 'EPIPE': case 'TRUNCATED':
      return new CliError(`error during connect: the ${name} daemon at ${host} ended the connection. Was it stopped or restarted?`, 1, { cause: error });
    case undefined:
      return error;
    default:
      return new CliError(`error during connect to ${host}: ${reasonOf(error)}`, 1, { cause: error });
  }
}
