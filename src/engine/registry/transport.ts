import { concat, encode, text } from 'host:bytes';
import { createHttpClient, type ClientConnection, type HttpClient } from '../http/client.ts';
import type { ByteSource, Cancellation, Clock, Connection, Sockets, TlsRequest } from '../ports/index.ts';
import { createClientInput } from '../http/client-input.ts';
import { readResponseHead } from '../http/client-response.ts';
import { proxyFor, type Proxy, type ProxySettings } from './proxy.ts';
import { describeFailure, RegistryError } from './registry-error.ts';
import { authority, follow, formatUrl, origin, type Url } from './url.ts';

export interface TransportOptions {
  sockets: Sockets;
  clock: Clock;
  userAgent: string;
  timeouts: Timeouts;
  tls(url: Url): TlsRequest;
  proxies: ProxySettings;
  cancellation: Cancellation;
}

export interface Timeouts {
  connectMs: number;
  /** Without a byte from the other side, after which a connection is given up. */
  stallMs: number;
}

export interface Reply {
  status: number;
  headers: ReadonlyMap<string, string>;
  /** Where it came from, after redirects. */
  url: Url;
  redirected: boolean;
  body: ByteSource;
  /** All of a body that must not be long. */
  bytes(limitBytes: number): Promise<Uint8Array>;
  /** Gives the rest of the body up. */
  close(): void;
}

export interface Request {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  headers: Readonly<Record<string, string>>;
  /** A source goes in chunks. */
  body?: string | Uint8Array | ByteSource;
}

/** HTTP connections of one pull, to any number of hosts. */
export interface Transport {
  /** Follows redirects of GET and HEAD; what identifies the user goes to the first host alone. */
  send(url: Url, request: Request): Promise<Reply>;
  close(): void;
}

const REDIRECT_LIMIT = 10;
const DISCARD_LIMIT_BYTES = 64 * 1024;

export function createTransport(options: TransportOptions): Transport {
  const clients = new Map<string, HttpClient>();
  const tls = new Map<string, TlsRequest>();
  const open = new Set<Connection>();

  const dial = async (url: Url): Promise<ClientConnection> => {
    const proxy = proxyFor(url, options.proxies);
    const { connectMs } = options.timeouts;
    const connection = await options.sockets.dial({ host: proxy?.host ?? url.host, port: proxy?.port ?? url.port, timeoutMs: connectMs });
    if (url.secure) {
      if (proxy !== undefined) await openTunnel(connection, url, proxy, options);
      const key = authority(url);
      const secured = tls.get(key) ?? options.tls(url);
      tls.set(key, secured);
      await options.sockets.secure(connection, secured);
    }
    if (options.cancellation.cancelled) {
      connection.close();
      throw new RegistryError('CANCELLED', 'context canceled');
    }
    open.add(connection);
    return guard(connection, options, () => open.delete(connection));
  };
  const clientFor = (url: Url): HttpClient => {
    const key = origin(url);
    const known = clients.get(key);
    if (known !== undefined) return known;
    const client = createHttpClient({ dial: () => dial(url), codec: { decode: (bytes) => text(bytes), encode }, host: authority(url), userAgent: options.userAgent });
    clients.set(key, client);
    return client;
  };
  const closeAll = (): void => {
    for (const connection of open) connection.close();
    open.clear();
    clients.clear();
  };
  const forget = options.cancellation.onCancel(closeAll);

  return {
    async send(first, request) {
      const { method = 'GET', body } = request;
      let url = first;
      let headers = request.headers;
      for (let hops = 0; ; hops += 1) {
        const proxy = url.secure ? undefined : proxyFor(url, options.proxies);
        const sent = proxy === undefined || proxy.authorization === '' ? headers : { ...headers, 'Proxy-Authorization': proxy.authorization };
        const reply = await exchange(clientFor(url), url, proxy === undefined ? url.target : formatUrl(url), { method, headers: sent, ...(body === undefined ? {} : { body }) }, hops > 0);
        const location = reply.headers.get('location');
        if ((method !== 'GET' && method !== 'HEAD') || ![301, 302, 303, 307, 308].includes(reply.status) || location === undefined) return reply;
        await discard(reply);
        const next = follow(url, location);
        if (next === undefined) throw new RegistryError('REDIRECT_INVALID', `${formatUrl(url)} redirects to ${JSON.stringify(location.slice(0, 200))}, which is no HTTP address`);
        if (hops >= REDIRECT_LIMIT) throw new RegistryError('REDIRECT_LOOP', `Get "${formatUrl(first)}": stopped after ${REDIRECT_LIMIT} redirects`);
        if (origin(next) !== origin(url)) headers = Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'));
        url = next;
      }
    },
    close() {
      forget();
      closeAll();
    },
  };
}

async function exchange(client: HttpClient, url: Url, target: string, request: Request & { method: string }, redirected: boolean): Promise<Reply> {
  try {
    const answer = await client.send({ ...request, target });
    return {
      status: answer.status, headers: answer.headers, url, redirected, body: answer.body,
      close: () => answer.close(),
      async bytes(limitBytes) {
        const parts: Uint8Array[] = [];
        let sizeBytes = 0;
        for (let part = await answer.body.read(); part !== null; part = await answer.body.read()) {
          sizeBytes += part.length;
          if (sizeBytes > limitBytes) {
            answer.close();
            throw new RegistryError('ANSWER_TOO_LARGE', `Get "${formatUrl(url)}": the answer is longer than ${limitBytes} bytes`);
          }
          parts.push(part);
        }
        return concat(parts);
      },
    };
  } catch (error) {
    throw describeFailure(error, formatUrl(url), `${url.host}:${url.port}`);
  }
}

/** Reads a body of no interest, so that its connection can serve again; closes it when that would take long. */
export async function discard(reply: Reply): Promise<void> {
  try {
    await reply.bytes(DISCARD_LIMIT_BYTES);
  } catch {
    reply.close();
  }
}

/** Asks a proxy to connect through to a host. It says nothing of its own after its answer, so that TLS may begin on the same connection. */
async function openTunnel(connection: Connection, url: Url, proxy: Proxy, options: TransportOptions): Promise<void> {
  const line = guard(connection, options, () => undefined);
  const target = `${url.host.includes(':') ? `[${url.host}]` : url.host}:${url.port}`;
  const login = proxy.authorization === '' ? '' : `Proxy-Authorization: ${proxy.authorization}\r\n`;
  try {
    await line.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\nUser-Agent: ${options.userAgent}\r\n${login}\r\n`);
    const head = await readResponseHead(createClientInput(line));
    if (head?.status !== 200) throw new RegistryError('PROXY', `the proxy ${proxy.host}:${proxy.port} does not connect to ${target}: ${head === null ? 'no answer' : `${head.status} ${head.reason}`}`);
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** A connection that does not wait for ever. */
function guard(connection: Connection, { clock, timeouts }: TransportOptions, onClose: () => void): ClientConnection {
  let lastWriteMs = Number.NEGATIVE_INFINITY;
  const limited = async <T>(operation: Promise<T>): Promise<T> => {
    let late = false;
    let stop = (): void => undefined;
    const arm = (delayMs: number): void => {
      stop = clock.after(delayMs, () => {
        // Who waits for the answer to an upload has not been forgotten as long as the upload goes on.
        const leftMs = lastWriteMs + timeouts.stallMs - clock.monotonicMs();
        if (leftMs > 0) return arm(leftMs);
        late = true;
        connection.close();
      });
    };
    arm(timeouts.stallMs);
    try {
      return await operation;
    } catch (error) {
      throw late ? new RegistryError('STALLED', `nothing came for ${timeouts.stallMs / 1000} s`, { cause: error }) : error;
    } finally {
      stop();
    }
  };
  return {
    read: () => limited(connection.read()),
    async write(data) {
      await limited(connection.write(data));
      lastWriteMs = clock.monotonicMs();
    },
    shutdown: () => connection.shutdown(),
    close() {
      onClose();
      connection.close();
    },
  };
}
