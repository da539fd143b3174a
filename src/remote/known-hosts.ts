import { createHash, createHmac } from 'node:crypto';

/** What a known_hosts file says of a key: the same one is there; another one is, in that line; nothing is; it was revoked. */
export type HostKeyVerdict = { kind: 'known' } | { kind: 'other'; line: number; type: string } | { kind: 'unknown' } | { kind: 'revoked'; line: number };

/**
 * Looks a host's key up, as sshd(8) describes SSH_KNOWN_HOSTS FILE FORMAT: names, patterns, `!` and hashed names; lines
 * of certificate authorities are passed over. Pure.
 * @param key the public key as it travels: type and numbers, each with its length
 */
export function lookUpHostKey(text: string, { host, port }: { host: string; port: number }, key: Uint8Array): HostKeyVerdict {
  const wanted = Buffer.from(key).toString('base64');
  const type = keyType(key);
  let other: HostKeyVerdict = { kind: 'unknown' };
  let known = false;
  for (const [index, line] of text.split('\n').entries()) {
    const entry = parseLine(line);
    if (entry === null || !matches(entry.names, host, port)) continue;
    if (entry.marker === '@revoked' && entry.key === wanted) return { kind: 'revoked', line: index + 1 };
    if (entry.marker !== null) continue;
    if (entry.key === wanted) known = true;
    // A host has a key of each type; only one of the same type contradicts.
    else if (entry.type === type) other = { kind: 'other', line: index + 1, type };
  }
  return known ? { kind: 'known' } : other;
}

/** Types of the keys that are known of a host, so that the one which can be checked is asked for. */
export function knownKeyTypes(text: string, { host, port }: { host: string; port: number }): string[] {
  const entries = text.split('\n').flatMap((line) => parseLine(line) ?? []);
  return [...new Set(entries.filter(({ marker, names }) => marker === null && matches(names, host, port)).map(({ type }) => type))];
}

/** As ssh-keygen -l prints it. */
export function fingerprint(key: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** RFC 4253, 6.6: the blob begins with the name of its type. */
export function keyType(key: Uint8Array): string {
  const buffer = Buffer.from(key);
  return buffer.length < 4 ? '' : buffer.subarray(4, 4 + buffer.readUInt32BE(0)).toString('latin1');
}

interface Entry {
  marker: string | null;
  names: string;
  type: string;
  key: string;
}

function parseLine(line: string): Entry | null {
  const words = line.trim().split(/\s+/);
  if (words[0] === undefined || words[0] === '' || words[0].startsWith('#')) return null;
  const marker = words[0].startsWith('@') ? (words.shift() ?? null) : null;
  const [names, type, key] = words;
  return names === undefined || type === undefined || key === undefined ? null : { marker, names, type, key };
}

function matches(names: string, host: string, port: number): boolean {
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
  const hashed = /^\|1\|([^|]+)\|([^|]+)$/.exec(names);
  if (hashed !== null) return createHmac('sha1', Buffer.from(hashed[1] ?? '', 'base64')).update(name).digest('base64') === hashed[2];
  let found = false;
  for (const pattern of names.toLowerCase().split(',')) {
    const negated = pattern.startsWith('!');
    if (!glob(negated ? pattern.slice(1) : pattern).test(name)) continue;
    if (negated) return false;
    found = true;
  }
  return found;
}

function glob(pattern: string): RegExp {
  return new RegExp(`^${pattern.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`);
}
