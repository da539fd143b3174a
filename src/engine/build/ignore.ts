import { compilePattern, type Pattern } from './patterns.ts';

/** Which files of a context are left out. Paths are relative, without a slash at either end. */
export interface IgnoreRules {
  ignores(path: string): boolean;
  /** Whether something below an ignored folder may be wanted after all. */
  readonly hasExceptions: boolean;
}

interface Rule {
  exception: boolean;
  pattern: Pattern;
}

/** A .dockerignore: one pattern a line, `#` comments, `!` exceptions, the last match counting. Throws 'invalid' for malformed patterns. */
export function parseIgnore(text: string): IgnoreRules {
  return createIgnore(
    text
      .replace(/^\uFEFF/, '')
      .split(/\r?\n/)
      .filter((line) => !line.startsWith('#'))
      .map((line) => line.trim()),
  );
}

export function createIgnore(patterns: readonly string[]): IgnoreRules {
  const rules = patterns.flatMap((line): Rule[] => {
    const exception = line.startsWith('!');
    const pattern = clean(exception ? line.slice(1).trim() : line);
    return pattern === '' ? [] : [{ exception, pattern: compilePattern(pattern, true) }];
  });
  return {
    hasExceptions: rules.some(({ exception }) => exception),
    ignores(path) {
      let ignored = false;
      const parts = path.split('/');
      for (const { exception, pattern } of rules) {
        if (exception !== ignored) continue;
        // What holds for a folder holds for all below it.
        if (parts.some((_, index) => pattern.test(parts.slice(0, index + 1).join('/')))) ignored = !exception;
      }
      return ignored;
    },
  };
}

/** As Go's filepath.Clean, and from the context's root. */
function clean(pattern: string): string {
  const parts: string[] = [];
  for (const part of pattern.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}
