const hub = 'docker.io';

/** Splits "registry:5000/a/b:tag@digest" into its parts; tag and digest are '' when absent. */
export function splitImageName(name: string): { readonly repository: string; readonly tag: string; readonly digest: string } {
  const at = name.indexOf('@');
  const digest = at < 0 ? '' : name.slice(at + 1);
  const rest = at < 0 ? name : name.slice(0, at);
  const colon = rest.lastIndexOf(':');
  const hasTag = colon > rest.lastIndexOf('/');
  return { repository: hasTag ? rest.slice(0, colon) : rest, tag: hasTag ? rest.slice(colon + 1) : '', digest };
}

/** The name people see: "docker.io/library/" goes, the tag "latest" is written out. */
export function familiarName(name: string): string {
  const { repository, tag, digest } = splitImageName(name);
  const short = repository.replace(/^docker\.io\/(library\/)?/, '');
  return `${short}${tag === '' && digest === '' ? ':latest' : tag === '' ? '' : `:${tag}`}${digest === '' ? '' : `@${digest}`}`;
}

/** Host of the registry that a name belongs to. */
export function registryOf(name: string): string {
  const first = name.split('/')[0] ?? '';
  const isHost = name.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  return isHost ? first : hub;
}
