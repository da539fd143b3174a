/** Where a path of the command line leads: "." and ".." are relative to the working directory. */
export function absolutePath(path: string, workingDirectory: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith('/') ? path : `${workingDirectory}/${path}`).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** Splits --volume values into binds (with a source) and anonymous volumes (a path alone). */
export function parseVolumes(specs: readonly string[], workingDirectory: string): { binds: string[]; anonymous: Record<string, Record<string, never>> } {
  const binds: string[] = [];
  const anonymous: Record<string, Record<string, never>> = {};
  for (const spec of specs) {
    const [source = '', ...rest] = spec.split(':');
    if (rest.length === 0) anonymous[spec] = {};
    else binds.push([/^\.{1,2}(\/|$)/.test(source) ? absolutePath(source, workingDirectory) : source, ...rest].join(':'));
  }
  return { binds, anonymous };
}

/** --tmpfs values: path and options. */
export function parseTmpfs(specs: readonly string[]): Record<string, string> {
  return Object.fromEntries(specs.map((spec) => {
    const colon = spec.indexOf(':');
    return colon < 0 ? [spec, ''] : [spec.slice(0, colon), spec.slice(colon + 1)];
  }));
}
