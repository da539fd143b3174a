import type { Proxies } from '../../http/index.ts';

/** Proxies of the caller's environment; none for a host that no_proxy names. HTTP_PROXY in capitals is left alone, as curl does. */
export function environmentProxies(environment: Record<string, string>, host?: string): Proxies {
  if (host !== undefined && isExempt(host, environment['no_proxy'] ?? environment['NO_PROXY'] ?? '')) return { http: null, https: null };
  return { http: environment['http_proxy'] || null, https: environment['https_proxy'] || environment['HTTPS_PROXY'] || null };
}

/** no_proxy: names, domains with or without a leading dot, or `*`. */
function isExempt(host: string, list: string): boolean {
  return list.split(/[,\s]+/).filter(Boolean).some((entry) => entry === '*' || host === entry.replace(/^\./, '') || host.endsWith(`.${entry.replace(/^\./, '')}`));
}
