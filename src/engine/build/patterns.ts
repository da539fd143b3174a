import { EngineError } from '../error.ts';

export interface Pattern {
  test(path: string): boolean;
}

/** What stands in a pattern, from left to right. */
type Part = ((char: string) => boolean) | 'name' | 'anything' | 'folders';

/** Go's filepath.Match: `*` and `?` stop at slashes, classes, backslash escapes; with `deep`, `**` stands for any folders. Throws 'invalid'. */
export function compilePattern(pattern: string, deep: boolean): Pattern {
  const parts: Part[] = [];
  for (let at = 0; at < pattern.length; at += 1) {
    const char = String.fromCodePoint(pattern.codePointAt(at) ?? 0);
    if (char === '*' && deep && pattern.charAt(at + 1) === '*') {
      at += 1;
      if (pattern.charAt(at + 1) === '/') at += 1;
      parts.push(at + 1 >= pattern.length ? 'anything' : 'folders');
    } else if (char === '*') parts.push('name');
    else if (char === '?') parts.push((other) => other !== '/');
    else if (char === '[') {
      const { text, end } = characterClass(pattern, at);
      const expression = new RegExp(text, 'u');
      parts.push((other) => expression.test(other));
      at = end;
    } else if (char === '\\') {
      at += 1;
      if (at >= pattern.length) throw malformed(pattern);
      const escaped = String.fromCodePoint(pattern.codePointAt(at) ?? 0);
      at += escaped.length - 1;
      parts.push((other) => other === escaped);
    } else {
      at += char.length - 1;
      parts.push((other) => other === char);
    }
  }
  return { test: (path) => matches(parts, path) };
}

/**
 * Follows all readings at once, so that the time is the product of both lengths at most: as a regular expression, a pattern of many stars would try
 * them one after the other. State 2i: before part i; 2i + 1: within the folders that part i stands for.
 */
function matches(parts: readonly Part[], path: string): boolean {
  let states = new Set<number>();
  const enter = (into: Set<number>, index: number): void => {
    if (into.has(2 * index)) return;
    into.add(2 * index);
    if (typeof parts[index] === 'string') enter(into, index + 1);
  };
  enter(states, 0);
  for (const char of path) {
    const next = new Set<number>();
    for (const state of states) {
      const index = state >> 1;
      const part = parts[index];
      if (typeof part === 'function') {
        if (part(char)) enter(next, index + 1);
      } else if (part === 'anything' || (part === 'name' && char !== '/')) enter(next, index);
      else if (part === 'folders') {
        next.add(2 * index + 1);
        if (char === '/') enter(next, index + 1);
      }
    }
    if (next.size === 0) return false;
    states = next;
  }
  return states.has(2 * parts.length);
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

function inClass(char: string): string {
  return /[\^[\]\\-]/.test(char) ? `\\${char}` : char;
}

function malformed(pattern: string): EngineError {
  return new EngineError('invalid', 'PATTERN_INVALID', `syntax error in pattern ${JSON.stringify(pattern)}`);
}
