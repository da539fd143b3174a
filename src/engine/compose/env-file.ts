import { interpolate, type Lookup } from './interpolate.ts';

/** Variables of a file, in order; null for a name without a value, which takes it from elsewhere. */
export type Variables = Map<string, string | null>;

/**
 * Reads NAME=VALUE lines, as .env and env_file have them: comments, `export`, values between single quotes (as they stand) or double quotes (with
 * escapes), of several lines there, and variables in the others. `raw`: what follows the first = is the value. Throws Error with the line.
 */
export function readEnvFile(text: string, lookup: Lookup, raw = false): Variables {
  const variables: Variables = new Map();
  const known: Lookup = (name) => variables.get(name) ?? lookup(name);
  const source = text.replace(/^\uFEFF/, '').replaceAll(/\r\n?/g, '\n');
  for (let at = 0; at < source.length; ) {
    const end = source.indexOf('\n', at);
    const line = source.slice(at, end === -1 ? source.length : end);
    const next = at + line.length + 1;
    const match = /^\s*(?:export\s+)?([^\s=:#'"]+)[ \t]*(?:([=:])[ \t]*(.*))?$/.exec(line);
    if (/^\s*(?:#|$)/.test(line)) at = next;
    else if (match === null) throw new Error(`line ${source.slice(0, at).split('\n').length}: not NAME=VALUE`);
    else {
      const [, name = '', mark, rest = ''] = match;
      const start = at + line.length - rest.length;
      at = next;
      if (mark === undefined) variables.set(name, null);
      else if (raw) variables.set(name, rest);
      else if (/^["']/.test(rest)) at = quoted(name, start);
      else variables.set(name, interpolate(rest.replace(/(?:^|\s+)#.*$/, '').trimEnd(), known, () => undefined));
    }
  }
  return variables;

  /** Where the line behind the closing quote begins. */
  function quoted(name: string, start: number): number {
    const quote = source.charAt(start);
    const whole = (quote === '"' ? /^"((?:[^"\\]|\\[^])*)"[ \t]*(?:#.*)?(?:\n|$)/ : /^'([^']*)'[ \t]*(?:#.*)?(?:\n|$)/).exec(source.slice(start));
    if (whole === null) throw new Error(`the value of ${name} is not closed by ${quote}`);
    const value = whole[1] ?? '';
    variables.set(name, quote === "'" ? value : interpolate(value.replaceAll(/\\([^])/g, (pair, char: string) => ({ n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$$' })[char] ?? pair), known, () => undefined));
    return start + whole[0].length;
  }
}
