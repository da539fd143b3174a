/** One way to log in that a registry offers (RFC 9110, 11.6.1). */
export interface Challenge {
  /** Lower case: 'bearer', 'basic'. */
  scheme: string;
  /** By lower-case name. */
  parameters: ReadonlyMap<string, string>;
}

const TOKEN = /[^\s",=()<>@:;\\/[\]?{}]+/y;
const PARAMETER = /\s*([^\s",=()<>@:;\\/[\]?{}]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]*))/y;

/** The challenges of a WWW-Authenticate header, also several in one, as repeated headers are joined. What is malformed ends it. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let at = 0;
  const match = (expression: RegExp): RegExpExecArray | null => {
    expression.lastIndex = at;
    const found = expression.exec(header);
    if (found !== null) at = expression.lastIndex;
    return found;
  };
  for (;;) {
    while (at < header.length && /[\s,]/.test(header[at] ?? '')) at += 1;
    const scheme = match(TOKEN);
    if (scheme === null) return challenges;
    const parameters = new Map<string, string>();
    for (;;) {
      const before = at;
      while (at < header.length && /[\s,]/.test(header[at] ?? '')) at += 1;
      const parameter = match(PARAMETER);
      if (parameter === null) {
        at = before;
        break;
      }
      const value = parameter[2]?.replaceAll(/\\(.)/g, '$1') ?? parameter[3] ?? '';
      parameters.set((parameter[1] ?? '').toLowerCase(), value);
    }
    challenges.push({ scheme: scheme[0].toLowerCase(), parameters });
  }
}
