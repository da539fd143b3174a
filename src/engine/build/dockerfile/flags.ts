import { nearestWord } from '../../cli/nearest.ts';
import { dockerfileError } from './dockerfile-error.ts';

/** Flags of an instruction, by name; `rest` is what follows them. */
export interface InstructionFlags {
  rest: string;
  text(name: string): string;
  /** undefined when it is not there. */
  flag(name: string): boolean | undefined;
  all(name: string): string[];
}

const FLAG = /^--([a-zA-Z][a-zA-Z0-9-]*)(?:=((?:"[^"]*"|'[^']*'|[^\s"'])*))?(?=\s|$)\s*/;

/** Cuts `--name=value` words off the front. Throws 'invalid' for names that are not in `known`, and for those given twice unless they may be. */
export function readFlags(keyword: string, text: string, line: number, known: readonly string[], repeatable: readonly string[] = []): InstructionFlags {
  const given = new Map<string, string[]>();
  let rest = text.trimStart();
  for (let match = FLAG.exec(rest); match !== null; match = FLAG.exec(rest)) {
    const name = match[1] ?? '';
    if (!known.includes(name)) {
      const near = nearestWord(name, known);
      throw dockerfileError(line, `unknown flag: --${name} of ${keyword}`, near === null ? (known.length === 0 ? `${keyword} has no flags` : `it knows ${known.map((each) => `--${each}`).join(', ')}`) : `did you mean --${near}?`);
    }
    const values = given.get(name) ?? [];
    if (values.length > 0 && !repeatable.includes(name)) throw dockerfileError(line, `duplicate flag specified: --${name}`);
    given.set(name, [...values, match[2] ?? '']);
    rest = rest.slice(match[0].length);
  }
  return {
    rest,
    text: (name) => given.get(name)?.[0] ?? '',
    flag(name) {
      const value = given.get(name)?.[0];
      if (value === undefined) return undefined;
      if (['', 'true', '1'].includes(value)) return true;
      if (['false', '0'].includes(value)) return false;
      throw dockerfileError(line, `expecting boolean value for flag ${name}, not: ${value}`);
    },
    all: (name) => given.get(name) ?? [],
  };
}
