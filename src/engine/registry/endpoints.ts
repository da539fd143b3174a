import { inRange, isLoopback } from './addresses.ts';
import type { ProxySettings } from './proxy.ts';
import { parseUrl, type Url } from './url.ts';

export interface RegistrySettings {
  /** 'host', 'host:port' or 'a.b.c.d/n'. */
  insecureRegistries: readonly string[];
  /** Addresses of mirrors of docker.io. */
  registryMirrors: readonly string[];
  proxies: ProxySettings;
}

/** One address under which a repository may be found. */
export interface Endpoint {
  url: Url;
  /** Any certificate will do. */
  insecure: boolean;
  /** Credentials are for the registry itself. */
  mirror: boolean;
}

const HUB = 'docker.io';
const HUB_HOST = 'registry-1.docker.io';

/**
 * Where to look for an image, in order: mirrors of the hub, the registry by HTTPS, and by plain HTTP where it may lack TLS.
 * `addresses` are the registry's numeric addresses, as far as they matter (see `wantsAddresses`).
 */
export function planEndpoints(domain: string, settings: Omit<RegistrySettings, 'proxies'>, addresses: readonly string[]): Endpoint[] {
  const endpoints: Endpoint[] = [];
  if (domain === HUB) {
    for (const mirror of settings.registryMirrors) {
      const url = parseUrl(mirror.replace(/\/+$/, ''));
      if (url !== undefined) endpoints.push({ url, insecure: isInsecure(url, settings, []), mirror: true });
    }
  }
  const secure = parseUrl(`https://${domain === HUB ? HUB_HOST : domain}`);
  if (secure === undefined) return endpoints;
  const insecure = domain !== HUB && isInsecure(secure, settings, addresses);
  endpoints.push({ url: secure, insecure, mirror: false });
  if (insecure) endpoints.push({ url: { ...secure, secure: false, port: /:\d+$/.test(domain) ? secure.port : 80 }, insecure, mirror: false });
  return endpoints;
}

/** Address ranges among the insecure registries can only be compared with numeric addresses. */
export function wantsAddresses({ insecureRegistries }: Pick<RegistrySettings, 'insecureRegistries'>): boolean {
  return insecureRegistries.some((entry) => entry.includes('/'));
}

/** Whether a host may lack TLS that can be verified: it is this machine, or the user said so. */
export function isInsecure({ host, port }: Url, { insecureRegistries }: Pick<RegistrySettings, 'insecureRegistries'>, addresses: readonly string[]): boolean {
  const numeric = [host, ...addresses];
  if (numeric.some(isLoopback)) return true;
  return insecureRegistries.some((entry) => {
    const name = entry.toLowerCase();
    if (name.includes('/')) return numeric.some((address) => inRange(address, name));
    const bare = name.replace(/^\[([^\]]*)\]/, '$1');
    return bare === host || bare === `${host}:${port}`;
  });
}
