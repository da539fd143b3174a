import { trimBlanks } from './blanks.ts';
import { HttpClientError } from './client-error.ts';
import type { ClientInput } from './client-input.ts';

export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  /** By lower-case name; repeated ones joined by ", ". */
  readonly headers: ReadonlyMap<string, string>;
  readonly keepAlive: boolean;
}

const lineLimitBytes = 32 * 1024;
const headerLimit = 200;

/** Reads status line and headers, skipping interim (1xx) answers other than 101. Null when the peer closed instead. */
export async function readResponseHead(input: ClientInput): Promise<ResponseHead | null> {
  for (;;) {
    const line = await input.line(lineLimitBytes);
    if (line === null) return null;
    const match = /^HTTP\/1\.([01]) (\d{3})(?: (.*))?$/.exec(line);
    if (!match) throw new HttpClientError('malformed', `expected an HTTP answer, got "${line.slice(0, 60)}"`);
    const headers = await readHeaders(input);
    const status = Number(match[2]);
    if (status >= 100 && status < 200 && status !== 101) continue;
    const connection = headers.get('connection')?.toLowerCase() ?? '';
    const keepAlive = match[1] === '1' ? !connection.includes('close') : connection.includes('keep-alive');
    return { status, reason: match[3] ?? '', headers, keepAlive };
  }
}

async function readHeaders(input: ClientInput): Promise<Map<string, string>> {
  const headers = new Map<string, string>();
  for (let count = 0; ; count++) {
    const line = await input.line(lineLimitBytes);
    if (line === null) throw new HttpClientError('closed', 'the connection ended in the middle of an answer');
    if (line === '') return headers;
    if (count >= headerLimit) throw new HttpClientError('too-large', `more than ${headerLimit} headers`);
    const colon = line.indexOf(':');
    if (colon <= 0) throw new HttpClientError('malformed', `malformed header "${line.slice(0, 60)}"`);
    const name = line.slice(0, colon).toLowerCase();
    const value = trimBlanks(line.slice(colon + 1));
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
}
