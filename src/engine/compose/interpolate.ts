/** Variables in the defaults of variables; nobody goes further. */
const MAX_DEPTH = 60;

/** Value of a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

/** Where `}` closes what begins at `from`; -1 when it does not. */
function closing(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; at += 1) {
    if (text.startsWith('${', at)) depth += 1;
    else if (text.charAt(at) === '}' && --depth === 0) return at;
  }
  return -1;
}

/**
 * Puts variables in: $NAME, ${NAME}, and with :- - :? ? :+ + the forms that shells have; $$ is a dollar sign. One that is not set and has no
 * default is told to `missing`. Throws Error for what has none of these forms, and what a variable that is required says.
 */
export function interpolate(text: string, lookup: Lookup, missing: (name: string) => void, depth = 0): string {
  if (depth > MAX_DEPTH) throw new Error('too many variables within variables');
  let out = '';
  for (let at = 0; at < text.length; ) {
    const dollar = text.indexOf('$', at);
    if (dollar === -1) return out + text.slice(at);
    out += text.slice(at, dollar);
    at = dollar + 1;
    const name = /^\{?([A-Za-z_]\w*)/.exec(text.slice(at))?.[1];
    if (text.charAt(at) === '$') {
      out += '$';
      at += 1;
    } else if (name === undefined) throw new Error(`$ at ${JSON.stringify(text.slice(dollar, dollar + 10))} begins no variable: write $$ for a dollar sign`);
    else if (text.charAt(at) !== '{') {
      out += plain(name);
      at += name.length;
    } else {
      const end = closing(text, at + 1);
      if (end === -1) throw new Error(`\${${name} is not closed`);
      out += braced(name, text.slice(at + 1 + name.length, end));
      at = end + 1;
    }
  }
  return out;

  function plain(name: string): string {
    const value = lookup(name);
    if (value === undefined) missing(name);
    return value ?? '';
  }

  function braced(name: string, rest: string): string {
    if (rest === '') return plain(name);
    const [, colon, mark, word = ''] = /^(:?)([-?+])(.*)$/s.exec(rest) ?? [];
    if (mark === undefined) throw new Error(`\${${name}${rest}} is no form of a variable`);
    const value = lookup(name);
    const there = value !== undefined && !(colon === ':' && value === '');
    const other = (): string => interpolate(word, lookup, missing, depth + 1);
    if (mark === '+') return there ? other() : '';
    if (there) return value;
    if (mark === '-') return other();
    throw new Error(`the variable ${name} is required${word === '' ? '' : `: ${other()}`}`);
  }
}
