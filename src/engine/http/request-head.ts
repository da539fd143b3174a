import { trimBlanks } from './blanks.ts';
import { HttpError } from './http-error.ts';

export interface RequestHead {
  method: string;
  /** Path as sent, percent-encoded, without the query. */
  path: string;
  query: string;
  minorVersion: 0 | 1;
  /** Names in lower case; repeated fields are joined with ', '. */
  headers: ReadonlyMap<string, string>;
}

export type BodyFraming = { kind: 'none' } | { kind: 'length'; lengthBytes: number } | { kind: 'chunked' };

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// oxlint-disable-next-line no-control-regex -- control characters are what must be found
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/** Request line and header fields (RFC 9112), without the empty line that ends them. Throws HttpError. */
export function parseRequestHead(text: string): RequestHead {
  const lines = text.split('\r\n');
  const parts = (lines[0] ?? '').split(' ');
  const [method = '', target = '', version = ''] = parts;
  if (parts.length !== 3 || !TOKEN.test(method)) throw new HttpError(400, 'malformed request line');
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') throw new HttpError(505, `unsupported protocol version ${version.slice(0, 16)}`);
  const { path, query } = splitTarget(target);
  const headers = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = trimBlanks(line.slice(colon + 1));
    if (!TOKEN.test(name) || CONTROL.test(value)) throw new HttpError(400, 'malformed header field');
    const before = headers.get(name);
    if (before !== undefined && (name === 'host' || name === 'content-length')) throw new HttpError(400, `repeated ${name} header`);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  if (version === 'HTTP/1.1' && !headers.has('host')) throw new HttpError(400, 'missing required Host header');
  return { method, path, query, minorVersion: version === 'HTTP/1.1' ? 1 : 0, headers };
}

function splitTarget(target: string): { path: string; query: string } {
  const origin = /^https?:\/\/[^/?]*/i.exec(target);
  const local = origin === null ? target : target.slice(origin[0].length) || '/';
  if (!local.startsWith('/') || CONTROL.test(local)) throw new HttpError(400, 'malformed request target');
  const mark = local.indexOf('?');
  return mark < 0 ? { path: local, query: '' } : { path: local.slice(0, mark), query: local.slice(mark + 1) };
}

/** How the body is delimited. A message that says two things at once is refused: that is how requests are smuggled. */
export function bodyFraming(head: RequestHead): BodyFraming {
  const coding = head.headers.get('transfer-encoding');
  const length = head.headers.get('content-length');
  if (coding !== undefined) {
    if (length !== undefined) throw new HttpError(400, 'both Transfer-Encoding and Content-Length');
    if (coding.toLowerCase() !== 'chunked') throw new HttpError(501, `unsupported transfer coding ${coding.slice(0, 32)}`);
    return { kind: 'chunked' };
  }
  if (length === undefined) return { kind: 'none' };
  if (!/^\d{1,15}$/.test(length)) throw new HttpError(400, 'malformed Content-Length');
  const lengthBytes = Number(length);
  return lengthBytes === 0 ? { kind: 'none' } : { kind: 'length', lengthBytes };
}

/** True when a comma-separated header holds the token, whatever its case. */
export function headerHas(head: RequestHead, name: string, token: string): boolean {
  const value = head.headers.get(name);
  return value !== undefined && value.split(',').some((part) => trimBlanks(part).toLowerCase() === token);
}

export function wantsClose(head: RequestHead): boolean {
  return headerHas(head, 'connection', 'close') || (head.minorVersion === 0 && !headerHas(head, 'connection', 'keep-alive'));
}
