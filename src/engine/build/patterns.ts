import { EngineError } from '../error.ts';

/** Go's filepath.Match: `*` and `?` stop at slashes, classes, backslash escapes; with `deep`, `**` stands for any folders. Throws 'invalid'. */
export function compilePattern(pattern: string, deep: boolean): RegExp {
  let source = '';
  for (let at = 0; at < pattern.length; at += 1) {
    const char = pattern.charAt(at);
    if (char === '*' && deep && pattern.charAt(at + 1) === '*') {
      at += 1;
      if (pattern.charAt(at + 1) === '/') at += 1;
      source += at + 1 >= pattern.length ? '.*' : '(?:.*/)?';
    } else if (char === '*') source += '[^/]*';
    else if (char === '?') source += '[^/]';
    else if (char === '[') {
      const { text, end } = characterClass(pattern, at);
      source += text;
      at = end;
    } else if (char === '\\') {
      at += 1;
      if (at >= pattern.length) throw malformed(pattern);
      source += literal(pattern.charAt(at));
    } else source += literal(char);
  }
  return new RegExp(`^${source}$`, 'su');
}

export function hasWildcards(path: string): boolean {
  return /[*?[\\]/.test(path);
}

function characterClass(pattern: string, start: number): { text: string; end: number } {
  let at = start + 1;
  const negated = pattern.charAt(at) === '^';
  if (negated) at += 1;
  let text = '';
  const one = (): string => {
    let char = pattern.charAt(at);
    if (char === '\\') char = pattern.charAt(++at);
    if (char === '' || (char === '-' && pattern.charAt(at - 1) !== '\\')) throw malformed(pattern);
    at += 1;
    return char;
  };
  while (pattern.charAt(at) !== ']' || text === '') {
    if (at >= pattern.length) throw malformed(pattern);
    const low = one();
    if (pattern.charAt(at) === '-') {
      at += 1;
      const high = one();
      if (high < low) throw malformed(pattern);
      text += `${inClass(low)}-${inClass(high)}`;
    } else text += inClass(low);
  }
  return { text: `[${negated ? '^' : ''}${text}]`, end: at };
}

function literal(char: string): string {
  return /[.*+?^${}()|[\]\\/]/.test(char) ? `\\${char}` : char;
}

function inClass(char: string): string {
  return /[\^[\]\\-]/.test(char) ? `\\${char}` : char;
}

function malformed(pattern: string): EngineError {
  return new EngineError('invalid', 'PATTERN_INVALID', `syntax error in pattern ${JSON.stringify(pattern)}`);
}
