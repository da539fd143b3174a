import { createHttpClient, type HttpClient } from '../../http/index.ts';
import type { ImageName } from '../../registry/index.ts';
import { environmentProxies } from './proxies.ts';

/** Connections to a registry, through the caller's proxies unless it is on this very machine. */
export function registryClient(environment: Record<string, string>, { registry }: ImageName): HttpClient {
  const { hostname } = new URL(`http://${registry}`);
  const own = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  return createHttpClient(own ? { http: null, https: null } : environmentProxies(environment, hostname), { connections: 8, stallTimeoutMs: 60_000 });
}
