/** Variables by name; undefined for unset ones. */
export type Variables = (name: string) => string | undefined;

export interface ExpandOptions {
  escape: string;
  /** Here-documents: quotes are content, and only \$ and \\ are escapes. */
  keepQuotes?: boolean;
}

const NAME = /^(?:[A-Za-z_]\w*|\d|[@*#?!$-])/;

/** Quotes go, variables become their values, as in a shell. Throws Error with what is wrong. */
export function expandWord(word: string, variables: Variables, options: ExpandOptions): string {
  const reader = { text: word, at: 0 };
  return sequence(reader, variables, options, '');
}

interface Reader {
  text: string;
  at: number;
}

/** Up to `end` (not taken), or all. */
function sequence(reader: Reader, variables: Variables, options: ExpandOptions, end: string): string {
  let value = '';
  const { text } = reader;
  while (reader.at < text.length) {
    const char = text.charAt(reader.at);
    if (end !== '' && char === end) return value;
    if (char === "'" && options.keepQuotes !== true) value += single(reader);
    else if (char === '"' && options.keepQuotes !== true) value += double(reader, variables, options);
    else if (char === '$') value += dollar(reader, variables, options);
    else if (char === options.escape) {
      const next = text.charAt(reader.at + 1);
      value += options.keepQuotes === true && next !== '$' && next !== options.escape ? char + next : next;
      reader.at += 2;
    } else {
      value += char;
      reader.at += 1;
    }
  }
  if (end !== '') throw new Error("syntax error: missing '}'");
  return value;
}

function single(reader: Reader): string {
  const close = reader.text.indexOf("'", reader.at + 1);
  if (close < 0) throw new Error('unexpected end of statement while looking for matching single-quote');
  const value = reader.text.slice(reader.at + 1, close);
  reader.at = close + 1;
  return value;
}

function double(reader: Reader, variables: Variables, options: ExpandOptions): string {
  const { text } = reader;
  let value = '';
  reader.at += 1;
  while (reader.at < text.length) {
    const char = text.charAt(reader.at);
    if (char === '"') {
      reader.at += 1;
      return value;
    }
    if (char === '$') value += dollar(reader, variables, options);
    else if (char === options.escape) {
      const next = text.charAt(reader.at + 1);
      // In double quotes only these can be escaped.
      value += next === '"' || next === '$' || next === options.escape ? next : char + next;
      reader.at += 2;
    } else {
      value += char;
      reader.at += 1;
    }
  }
  throw new Error('unexpected end of statement while looking for matching double-quote');
}

function dollar(reader: Reader, variables: Variables, options: ExpandOptions): string {
  reader.at += 1;
  const rest = reader.text.slice(reader.at);
  if (!rest.startsWith('{')) {
    const name = NAME.exec(rest)?.[0];
    if (name === undefined) return '$';
    reader.at += name.length;
    return variables(name) ?? '';
  }
  reader.at += 1;
  const name = NAME.exec(rest.slice(1))?.[0];
  if (name === undefined) throw new Error(`${rest.startsWith('{}') ? '${}: bad substitution' : 'syntax error: bad substitution'}`);
  reader.at += name.length;
  const value = variables(name);
  const operator = /^(?::[-+?]|[-+?}]|##?|%%?|\/\/?)/.exec(reader.text.slice(reader.at))?.[0];
  if (operator === undefined) {
    const found = reader.text.slice(reader.at, reader.at + 2);
    throw new Error(found === '' ? 'syntax error: missing \'}\'' : `unsupported modifier (${found}) in substitution`);
  }
  reader.at += operator.length;
  if (operator === '}') return value ?? '';
  const replacing = operator.startsWith('/');
  // Patterns keep their escapes: those are the pattern's own.
  const word = replacing || /[#%]/.test(operator) ? pattern(reader, variables, options, replacing ? '/' : '}') : sequence(reader, variables, options, '}');
  let replacement = '';
  if (replacing) {
    if (reader.text.charAt(reader.at) === '/') reader.at += 1;
    replacement = sequence(reader, variables, options, '}');
  }
  reader.at += 1;
  const set = operator.startsWith(':') ? value !== undefined && value !== '' : value !== undefined;
  switch (operator.replace(':', '')) {
    case '-':
      return set ? (value ?? '') : word;
    case '+':
      return set ? word : '';
    case '?':
      if (!set) throw new Error(`${name}: ${word === '' ? (operator === ':?' ? 'not set or empty' : 'not set') : word}`);
      return value ?? '';
    case '#':
    case '##':
      return trimPrefix(value ?? '', word, operator === '##');
    case '%':
    case '%%':
      return trimSuffix(value ?? '', word, operator === '%%');
    default:
      return (value ?? '').replace(new RegExp(shellPattern(word, true), operator === '//' ? 'gs' : 's'), () => replacement);
  }
}

/** A pattern up to `end` or the closing brace, with variables in it replaced. */
function pattern(reader: Reader, variables: Variables, options: ExpandOptions, end: string): string {
  let value = '';
  while (reader.at < reader.text.length) {
    const char = reader.text.charAt(reader.at);
    if (char === end || char === '}') return value;
    if (char === '$') value += dollar(reader, variables, options);
    else if (char === options.escape) {
      value += `\\${reader.text.charAt(reader.at + 1)}`;
      reader.at += 2;
    } else {
      value += char;
      reader.at += 1;
    }
  }
  throw new Error("syntax error: missing '}'");
}

function trimPrefix(value: string, glob: string, longest: boolean): string {
  return value.replace(new RegExp(`^(?:${shellPattern(glob, longest)})`, 's'), '');
}

/** Regular expressions look from the left; the shortest suffix is found by trying. */
function trimSuffix(value: string, glob: string, longest: boolean): string {
  const whole = new RegExp(`^(?:${shellPattern(glob, true)})$`, 's');
  const starts = Array.from({ length: value.length + 1 }, (_, at) => at);
  const at = (longest ? starts : starts.toReversed()).find((start) => whole.test(value.slice(start)));
  return at === undefined ? value : value.slice(0, at);
}

function shellPattern(glob: string, greedy: boolean): string {
  let source = '';
  for (let at = 0; at < glob.length; at += 1) {
    const char = glob.charAt(at);
    if (char === '*') source += greedy ? '.*' : '.*?';
    else if (char === '?') source += '.';
    else if (char === '\\' && at + 1 < glob.length) {
      at += 1;
      source += glob.charAt(at).replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
    } else source += char.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
  }
  return source;
}
