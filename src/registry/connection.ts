import type { IncomingMessage } from 'node:http';

import { basicAuthorization, type HttpClient, type HttpRequest } from '../http/index.ts';
import { readText, refusal, RegistryAnswer } from './failure.ts';
import type { Login } from './login.ts';

/** A registry's API, with the caller's login. */
export interface Connection {
  /** Scheme and host. */
  readonly origin: string;
  /** Sends a request, to a path or where the registry said; after a challenge once more with what it asks for. The caller reads or destroys the body. */
  send(target: string, request: ConnectionRequest): Promise<IncomingMessage>;
}

export type ConnectionRequest = Omit<HttpRequest, 'body' | 'signal'> & { /** Made for each time that it is sent. */ body?: () => NonNullable<HttpRequest['body']> };

export interface ConnectionSettings {
  /** For transfers to the registry's own host, and to others. */
  client: HttpClient;
  login: Login | null;
  /** Plain HTTP will do where there is no TLS. */
  insecure: boolean;
  /** What tokens are asked for: `repository:<path>:pull,push`. */
  scope: string;
  signal: AbortSignal;
}

const tokenLimitBytes = 1 << 20;

export async function connect(host: string, { client, login, insecure, scope, signal }: ConnectionSettings): Promise<Connection> {
  const plainAllowed = insecure || isLoopback(host);
  const origin = await findOrigin(host, client, plainAllowed, signal);
  let authorization: string | null = null;
  const request = async (url: string, { headers = {}, body, method = 'GET' }: ConnectionRequest): Promise<IncomingMessage> => {
    // Where the registry sends us, for an upload say, may be someone else's.
    const own = new URL(url).origin === origin && authorization !== null ? { Authorization: authorization } : {};
    const content = body?.();
    try {
      return await client.request(url, { method, headers: { ...headers, ...own }, ...(content === undefined ? {} : { body: content }), signal });
    } catch (error) {
      if (content !== undefined && !Buffer.isBuffer(content.content)) content.content.destroy();
      throw error;
    }
  };
  return {
    origin,
    async send(target, options) {
      const url = new URL(target, origin).href;
      const first = await request(url, options);
      if (first.statusCode !== 401) return first;
      const challenge = first.headers['www-authenticate'] ?? '';
      const sent = authorization;
      if (sent?.startsWith('Basic ')) return first;
      first.resume();
      authorization = await answer(challenge, { client, login, scope, plainAllowed, signal });
      return authorization === null ? Promise.reject(await refusal(first, `${options.method ?? 'GET'} ${new URL(url).pathname}`)) : request(url, options);
    },
  };
}

/** HTTPS, or plain HTTP where that will do and nothing else is there. */
async function findOrigin(host: string, client: HttpClient, plainAllowed: boolean, signal: AbortSignal): Promise<string> {
  const secure = `https://${host}`;
  if (!plainAllowed) return secure;
  try {
    (await client.request(`${secure}/v2/`, { signal })).resume();
    return secure;
  } catch (error) {
    if (signal.aborted) throw error;
    const plain = `http://${host}`;
    (await client.request(`${plain}/v2/`, { signal })).resume();
    return plain;
  }
}

/** Whether a registry is on this very machine. */
export function isLoopback(host: string): boolean {
  const { hostname } = new URL(`http://${host}`);
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d+){3}$/.test(hostname);
}

type Answering = Omit<ConnectionSettings, 'insecure'> & { plainAllowed: boolean };

/** The Authorization header for a challenge (RFC 9110, 11.6.1); null where there is no login that it could be made of. */
async function answer(header: string, { client, login, scope, plainAllowed, signal }: Answering): Promise<string | null> {
  const bearer = parseChallenge(header, 'bearer');
  if (bearer === null) {
    if (parseChallenge(header, 'basic') === null || login === null || 'identityToken' in login) return null;
    return basic(login);
  }
  const realm = bearer.get('realm') ?? '';
  if (!URL.canParse(realm) || !/^https?:$/.test(new URL(realm).protocol)) throw new RegistryAnswer(401, [], 'the registry names no address for tokens');
  const url = new URL(realm);
  if (login !== null && url.protocol === 'http:' && !plainAllowed) throw new RegistryAnswer(401, [], `${url.origin} wants the password without TLS`);
  const service = bearer.get('service');
  const response = login !== null && 'identityToken' in login ? await exchange(url, { service, scope, token: login.identityToken }, client, signal) : await ask(url, { service, scope, login }, client, signal);
  if (response.statusCode !== 200) throw await refusal(response, `the request for a token from ${url.origin}${url.pathname}`);
  try {
    const { token, access_token: accessToken } = JSON.parse(await readText(response, tokenLimitBytes)) as { token?: unknown; access_token?: unknown };
    const found = typeof token === 'string' && token !== '' ? token : accessToken;
    if (typeof found === 'string' && /^[\x21-\x7e]+$/.test(found)) return `Bearer ${found}`;
  } catch {
    // The same complaint.
  }
  throw new RegistryAnswer(401, [], `${url.origin}${url.pathname} gave no token`);
}

function ask(url: URL, { service, scope, login }: { service: string | undefined; scope: string; login: { username: string; password: string } | null }, client: HttpClient, signal: AbortSignal): Promise<IncomingMessage> {
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', scope);
  if (login !== null) url.searchParams.set('account', login.username);
  return client.request(url.href, { headers: login === null ? {} : { Authorization: basic(login) }, signal });
}

/** A token for an identity token (OAuth 2), as Docker's registries have it. */
function exchange(url: URL, { service, scope, token }: { service: string | undefined; scope: string; token: string }, client: HttpClient, signal: AbortSignal): Promise<IncomingMessage> {
  const form = new URLSearchParams({ grant_type: 'refresh_token', ...(service === undefined ? {} : { service }), scope, client_id: 'osbuild', refresh_token: token });
  const content = Buffer.from(form.toString());
  return client.request(url.href, { method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: { content, sizeBytes: content.length }, signal });
}

const basic = ({ username, password }: { username: string; password: string }): string => basicAuthorization({ username: encodeURIComponent(username), password: encodeURIComponent(password) });

/** Parameters of a scheme's challenge, names in small letters; null when the header has none of it. */
export function parseChallenge(header: string, scheme: string): Map<string, string> | null {
  const begin = new RegExp(`(?:^|,)\\s*${scheme}(?:\\s+|$)`, 'i').exec(header);
  if (begin === null) return null;
  const parameters = new Map<string, string>();
  const parameter = /\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]*))\s*(?:,|$)/y;
  parameter.lastIndex = begin.index + begin[0].length;
  for (let found = parameter.exec(header); found !== null; found = parameter.exec(header)) parameters.set((found[1] ?? '').toLowerCase(), found[2]?.replaceAll(/\\(.)/g, '$1') ?? found[3] ?? '');
  return parameters;
}
