import { base64, encode } from 'host:bytes';
import { inRange, isLoopback } from './addresses.ts';
import { parseUrl, type Url } from './url.ts';

/** As HTTP_PROXY, HTTPS_PROXY and NO_PROXY have it; '' for none. */
export interface ProxySettings {
  http: string;
  https: string;
  /** Hosts that are reached without: names with their subdomains, '.domain', addresses, ranges, with a port or not; '*' for all. */
  exceptions: string;
}

export interface Proxy {
  host: string;
  port: number;
  /** For the Proxy-Authorization header; '' for none. */
  authorization: string;
}

/** Throws when the address of a proxy cannot be read. */
export function proxyFor(url: Url, { http, https, exceptions }: ProxySettings): Proxy | undefined {
  const address = url.secure ? https : http;
  if (address === '' || isLoopback(url.host) || isException(url, exceptions)) return undefined;
  const text = address.includes('://') ? address : `http://${address}`;
  const proxy = parseUrl(text);
  if (proxy === undefined || proxy.secure) throw new Error(`the proxy ${JSON.stringify(address.replace(/\/\/[^@/]*@/, '//'))} is no http:// address`);
  const user = /^http:\/\/([^/?#@]*)@/i.exec(text)?.[1];
  return { host: proxy.host, port: proxy.port, authorization: user === undefined ? '' : `Basic ${base64(encode(decodeURIComponent(user.includes(':') ? user : `${user}:`)))}` };
}

function isException({ host, port }: Url, exceptions: string): boolean {
  return exceptions.split(',').map((entry) => entry.trim().toLowerCase()).some((entry) => {
    if (entry === '' || entry === '*') return entry === '*';
    if (entry.includes('/')) return inRange(host, entry);
    const withPort = /^(.*[^:]):(\d{1,5})$/.exec(entry);
    if (withPort !== null && Number(withPort[2]) !== port) return false;
    const name = (withPort?.[1] ?? entry).replace(/^\[|\]$/g, '').replace(/^\*\./, '.');
    return name.startsWith('.') ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
  });
}
