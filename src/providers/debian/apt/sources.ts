import { OsbuildError } from '../../../model/index.ts';

/** One `deb` entry of an apt configuration, from a one-line or a deb822 file. */
export interface AptEntry {
  uris: string[];
  suites: string[];
  components: string[];
  signedBy: string | null;
}

/** Base addresses of the two Debian archives, without a trailing slash. */
export interface Archives {
  main: string;
  security: string;
}

const archivePath = /\/debian(\/\d{8}T\d{6}Z)?\/*$/;
const securityPath = /\/debian-security(\/\d{8}T\d{6}Z)?\/*$/;

/** Reads a sources.list(5) file in the one-line format; lines that are not binary package sources are passed over. */
export function parseOneLineSources(text: string): AptEntry[] {
  const entries: AptEntry[] = [];
  for (const raw of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(raw);
    if (match === null) continue;
    const [, options = '', uri = '', suite = '', components = ''] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/.exec(options);
    entries.push({ uris: [uri], suites: [suite], components: words(components), signedBy: signedBy?.[1] ?? null });
  }
  return entries;
}

/** Reads a sources.list(5) file in the deb822 format; disabled stanzas and source-only ones are passed over. */
export function parseDeb822Sources(text: string): AptEntry[] {
  const entries: AptEntry[] = [];
  for (const stanza of text.replaceAll('\r', '').split(/\n[ \t]*\n/)) {
    const fields = deb822Fields(stanza);
    if (!words(fields.get('types') ?? '').includes('deb')) continue;
    if (/^(no|false|without|off|disable|0)$/i.test(fields.get('enabled')?.trim() ?? 'yes')) continue;
    entries.push({
      uris: words(fields.get('uris') ?? ''),
      suites: words(fields.get('suites') ?? ''),
      components: words(fields.get('components') ?? ''),
      signedBy: fields.get('signed-by')?.trim() ?? null,
    });
  }
  return entries;
}

/**
 * Finds the Debian archives among a host's apt entries. Other vendors' repositories also end in /debian or carry a
 * component called main, so path, component and suite must all look like Debian's; what decides in the end is the signature.
 */
export function findArchives(entries: AptEntry[], overrides: { mirror?: string | undefined; securityMirror?: string | undefined } = {}): Archives {
  const debian = entries.filter((entry) => entry.components.includes('main'));
  const main = overrides.mirror ?? bestUri(debian, archivePath);
  if (main === undefined) {
    throw new OsbuildError('OSB_MIRROR_UNKNOWN', 'No Debian mirror in the apt configuration of this host.', {
      hint: 'Name one in build.config.yaml: debian.mirror, and debian.securityMirror for the security archive.',
    });
  }
  const base = trimSlashes(main);
  const security = overrides.securityMirror ?? bestUri(debian, securityPath) ?? base.replace(/\/debian(?=\/|$)(?!.*\/debian(?=\/|$))/, '/debian-security');
  return { main: base, security: trimSlashes(security) };
}

function bestUri(entries: AptEntry[], path: RegExp): string | undefined {
  const candidates = entries.flatMap((entry) =>
    entry.uris
      .filter((uri) => /^https?:\/\//.test(uri) && path.test(uri))
      .map((uri) => ({ uri, score: entry.signedBy?.includes('debian-archive') === true ? 2 : entry.signedBy === null ? 1 : 0 })),
  );
  return candidates.toSorted((a, b) => b.score - a.score)[0]?.uri;
}

function deb822Fields(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  let name: string | null = null;
  for (const line of stanza.split('\n')) {
    if (line.startsWith('#')) continue;
    if (/^[ \t]/.test(line)) {
      if (name !== null) fields.set(name, `${fields.get(name) ?? ''}\n${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon < 1) continue;
    name = line.slice(0, colon).toLowerCase();
    fields.set(name, line.slice(colon + 1).trim());
  }
  return fields;
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

function trimSlashes(uri: string): string {
  return uri.replace(/\/+$/, '');
}
