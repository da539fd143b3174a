/** An http or https address, as far as registries need it. */
export interface Url {
  secure: boolean;
  /** Without brackets. */
  host: string;
  port: number;
  /** Path and query, starting with '/'. */
  target: string;
}

/** Undefined for anything but an absolute http(s) address. */
export function parseUrl(text: string): Url | undefined {
  const match = /^(https?):\/\/(?:[^/?#@]*@)?(\[[0-9a-fA-F:.]+\]|[^/?#:@[\]\s]+)(?::(\d{1,5}))?([/?][^#\s]*)?(?:#.*)?$/i.exec(text);
  if (match === null) return undefined;
  const secure = match[1]?.toLowerCase() === 'https';
  const port = match[3] === undefined ? (secure ? 443 : 80) : Number(match[3]);
  if (port < 1 || port > 65535) return undefined;
  const rest = match[4] ?? '/';
  return { secure, host: (match[2] ?? '').replace(/^\[|\]$/g, '').toLowerCase(), port, target: rest.startsWith('?') ? `/${rest}` : rest };
}

/** 'host' or 'host:port', as the Host header and names of images have it. */
export function authority({ secure, host, port }: Url): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return port === (secure ? 443 : 80) ? name : `${name}:${port}`;
}

export function origin(url: Url): string {
  return `${url.secure ? 'https' : 'http'}://${authority(url)}`;
}

export function formatUrl(url: Url): string {
  return `${origin(url)}${url.target}`;
}

/** Where a Location or Link header leads, seen from the address that answered. */
export function follow(base: Url, location: string): Url | undefined {
  if (/^[a-z][a-z\d+.-]*:/i.test(location)) return parseUrl(location);
  if (location.startsWith('//')) return parseUrl(`${base.secure ? 'https' : 'http'}:${location}`);
  const clean = location.replace(/#.*$/, '');
  if (/\s/.test(clean)) return undefined;
  if (clean.startsWith('/')) return { ...base, target: clean };
  const path = base.target.replace(/\?.*$/, '');
  if (clean.startsWith('?')) return { ...base, target: `${path}${clean}` };
  return { ...base, target: `${path.slice(0, path.lastIndexOf('/') + 1)}${clean}` };
}

/** A target with a query (see formatQuery) added to what it has. */
export function withQuery(target: string, query: string): string {
  return query !== '' && target.includes('?') ? `${target}&${query.slice(1)}` : `${target}${query}`;
}

/** A query with its values escaped, '' when there is none. Undefined values are left out, several of one name stand one after the other. */
export function formatQuery(values: Readonly<Record<string, string | readonly string[] | undefined>>): string {
  const parts = Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [value].flat().map((each) => `${name}=${encodeURIComponent(each)}`)));
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}
