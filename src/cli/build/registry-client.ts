import { createHttpClient, type HttpClient } from '../../http/index.ts';
import { isLoopback, type ImageName } from '../../registry/index.ts';
import { environmentProxies } from './proxies.ts';

/** Connections to a registry, through the caller's proxies unless it is on this very machine. */
export function registryClient(environment: Record<string, string>, { registry }: ImageName): HttpClient {
  const proxies = isLoopback(registry) ? { http: null, https: null } : environmentProxies(environment, new URL(`http://${registry}`).hostname);
  return createHttpClient(proxies, { connections: 8, stallTimeoutMs: 60_000 });
}
