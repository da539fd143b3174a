import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import type { Proxies } from '../apt/host.ts';

/** Connections shared by the downloads of a build. */
export interface HttpClient {
  /**
   * Sends a GET (or HEAD) and resolves with the response's head, redirects followed. The caller reads or destroys the body.
   * @throws the socket's error, or an Error named TimeoutError when nothing arrives for `stallTimeoutMs`
   */
  request(url: string, options: { method?: 'GET' | 'HEAD'; headers?: Record<string, string>; signal: AbortSignal }): Promise<http.IncomingMessage>;
  close(): void;
}

const redirectLimit = 5;

export function createHttpClient(proxies: Proxies, settings: { connections: number; stallTimeoutMs: number }): HttpClient {
  const plain = new http.Agent({ keepAlive: true, maxSockets: settings.connections });
  const secure = new https.Agent({ keepAlive: true, maxSockets: settings.connections });
  const send = async (url: URL, method: string, headers: Record<string, string>, signal: AbortSignal): Promise<http.IncomingMessage> => {
    const proxy = proxies[url.protocol === 'https:' ? 'https' : 'http'];
    const options = await requestOptions(url, proxy, { plain, secure }, settings.stallTimeoutMs);
    return new Promise((resolve, reject) => {
      const module = url.protocol === 'https:' ? https : http;
      const request = module.request({ ...options, method, headers: { ...headers, ...(options.headers ?? {}), Host: url.host, 'User-Agent': 'osbuild' }, signal });
      request.setTimeout(settings.stallTimeoutMs, () => request.destroy(Object.assign(new Error(`no answer for ${settings.stallTimeoutMs / 1000} s`), { name: 'TimeoutError' })));
      request.on('error', reject);
      request.on('response', resolve);
      request.end();
    });
  };
  return {
    async request(url, { method = 'GET', headers = {}, signal }) {
      let current = new URL(url);
      for (let redirects = 0; ; redirects += 1) {
        const response = await send(current, method, headers, signal);
        const { statusCode = 0, headers: answered } = response;
        if (![301, 302, 303, 307, 308].includes(statusCode) || answered.location === undefined) return response;
        response.resume();
        if (redirects === redirectLimit) throw new Error(`more than ${redirectLimit} redirects from ${url}`);
        const next = new URL(answered.location, current);
        if (!/^https?:$/.test(next.protocol)) throw new Error(`redirect to ${next.protocol} refused`);
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
  const authorization = username === '' ? {} : { 'Proxy-Authorization': `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}` };
  const at = { host: hostname, port: proxyPort === '' ? 80 : Number(proxyPort) };
  if (url.protocol === 'http:') return { ...at, path: url.href, agent: agents.plain, headers: authorization };
  const socket = await tunnel(at, `${url.hostname}:${port}`, authorization, timeoutMs);
  return { host: url.hostname, port, path, agent: false, createConnection: () => tls.connect({ socket, servername: url.hostname }) };
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
