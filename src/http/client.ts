import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import type { Readable } from 'node:stream';

/** Proxies for plain HTTP and for HTTPS, as URLs; null: direct. */
export interface Proxies {
  http: string | null;
  https: string | null;
}

export interface HttpRequest {
  method?: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH';
  headers?: Record<string, string>;
  /** A request with a body follows no redirect: the body can be sent once. */
  body?: { content: Readable | Buffer; sizeBytes: number };
  signal: AbortSignal;
}

/** Connections shared by the transfers of a build. */
export interface HttpClient {
  /**
   * Sends a request and resolves with the response's head, redirects followed. The caller reads or destroys the body.
   * Credentials of the caller's headers do not go along to another host.
   * @throws the socket's error, or an Error named TimeoutError when nothing arrives for `stallTimeoutMs`
   */
  request(url: string, options: HttpRequest): Promise<http.IncomingMessage>;
  close(): void;
}

const redirectLimit = 5;

export function createHttpClient(proxies: Proxies, settings: { connections: number; stallTimeoutMs: number }): HttpClient {
  const plain = new http.Agent({ keepAlive: true, maxSockets: settings.connections });
  const secure = new https.Agent({ keepAlive: true, maxSockets: settings.connections });
  const send = async (url: URL, { method = 'GET', headers = {}, body, signal }: HttpRequest): Promise<http.IncomingMessage> => {
    const proxy = proxies[url.protocol === 'https:' ? 'https' : 'http'];
    const options = await requestOptions(url, proxy, { plain, secure }, settings.stallTimeoutMs);
    return new Promise((resolve, reject) => {
      const module = url.protocol === 'https:' ? https : http;
      const length = body === undefined ? {} : { 'Content-Length': String(body.sizeBytes) };
      const request = module.request({ ...options, method, headers: { ...headers, ...length, ...(options.headers ?? {}), Host: url.host, 'User-Agent': 'osbuild' }, signal });
      request.setTimeout(settings.stallTimeoutMs, () => request.destroy(Object.assign(new Error(`no answer for ${settings.stallTimeoutMs / 1000} s`), { name: 'TimeoutError' })));
      request.on('error', reject);
      request.on('response', resolve);
      if (body === undefined) request.end();
      else if (Buffer.isBuffer(body.content)) request.end(body.content);
      else body.content.on('error', (error) => request.destroy(error)).pipe(request);
    });
  };
  return {
    async request(url, options) {
      let current = new URL(url);
      let { headers = {} } = options;
      for (let redirects = 0; ; redirects += 1) {
        const response = await send(current, { ...options, headers });
        const { statusCode = 0, headers: answered } = response;
        if (![301, 302, 303, 307, 308].includes(statusCode) || answered.location === undefined || options.body !== undefined) return response;
        response.resume();
        if (redirects === redirectLimit) throw new Error(`more than ${redirectLimit} redirects from ${url}`);
        const next = new URL(answered.location, current);
        if (!/^https?:$/.test(next.protocol)) throw new Error(`redirect to ${next.protocol} refused`);
        if (next.host !== current.host) headers = Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'));
        current = next;
      }
    },
    close() {
      plain.destroy();
      secure.destroy();
    },
  };
}

async function requestOptions(url: URL, proxy: string | null, agents: { plain: http.Agent; secure: https.Agent }, timeoutMs: number): Promise<https.RequestOptions> {
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const path = `${url.pathname}${url.search}`;
  if (proxy === null) return { host: url.hostname, port, path, agent: url.protocol === 'https:' ? agents.secure : agents.plain };
  const { hostname, port: proxyPort, username, password } = new URL(proxy);
  const authorization = username === '' ? {} : { 'Proxy-Authorization': basicAuthorization({ username, password }) };
  const at = { host: hostname, port: proxyPort === '' ? 80 : Number(proxyPort) };
  if (url.protocol === 'http:') return { ...at, path: url.href, agent: agents.plain, headers: authorization };
  const socket = await tunnel(at, `${url.hostname}:${port}`, authorization, timeoutMs);
  return { host: url.hostname, port, path, agent: false, createConnection: () => tls.connect({ socket, servername: url.hostname }) };
}

/** User and password as they stand in a URL, percent-encoded. */
export function basicAuthorization({ username, password }: Pick<URL, 'username' | 'password'>): string {
  return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`;
}

function tunnel(at: { host: string; port: number }, target: string, headers: Record<string, string>, timeoutMs: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const request = http.request({ ...at, method: 'CONNECT', path: target, headers: { Host: target, ...headers }, agent: false });
    request.setTimeout(timeoutMs, () => request.destroy(new Error('the proxy does not answer')));
    request.on('error', reject);
    request.on('connect', (response, socket) => {
      if (response.statusCode === 200) resolve(socket);
      else {
        socket.destroy();
        reject(new Error(`the proxy refuses the connection: ${response.statusCode ?? 0} ${response.statusMessage ?? ''}`));
      }
    });
    request.end();
  });
}
