import { UsageError } from '../cli-error.ts';
import { nearestWord } from '../nearest.ts';
import { checkFlagValue, parseBool, parseInteger } from './flag-kinds.ts';
import { flagLabel, isRepeatable, type FlagSpec } from './flag-spec.ts';

/** The flags of one command line. Asking for a flag that the table lacks is a bug. */
export interface FlagValues {
  bool(name: string): boolean;
  /** The last value given, or the default, or ''. */
  string(name: string): string;
  list(name: string): readonly string[];
  /** Integer value; null when neither given nor defaulted. */
  int(name: string): number | null;
  given(name: string): boolean;
}

export interface ParsedLine {
  readonly flags: FlagValues;
  readonly args: readonly string[];
  readonly helpWanted: boolean;
}

export interface ParseOptions {
  /** False: the first argument ends the flags (run, exec, and the program's own flags before the verb). */
  readonly interspersed: boolean;
}

const flagErrorCode = 125;

export function parseFlags(words: readonly string[], specs: readonly FlagSpec[], options: ParseOptions): ParsedLine {
  const byName = new Map(specs.flatMap((spec) => [spec.name, ...(spec.also ?? [])].map((name) => [name, spec] as const)));
  const byShort = new Map(specs.flatMap((spec) => (spec.short === undefined ? [] : [[spec.short, spec] as const])));
  const given = new Map<string, string[]>();
  const args: string[] = [];
  let helpWanted = false;

  const set = (spec: FlagSpec, value: string) => {
    const problem = checkFlagValue(spec.kind, value) ?? spec.check?.(value) ?? null;
    if (problem !== null) throw new UsageError(`invalid argument ${JSON.stringify(value)} for "${flagLabel(spec)}" flag: ${problem}`, flagErrorCode);
    const values = spec.kind === 'strings' ? value.split(',') : [value];
    given.set(spec.name, isRepeatable(spec.kind) ? [...(given.get(spec.name) ?? []), ...values] : values);
  };

  let at = 0;
  const long = (word: string) => {
    const equals = word.indexOf('=');
    const name = word.slice(2, equals < 0 ? undefined : equals);
    const spec = byName.get(name);
    if (!spec) {
      if (name === 'help') {
        helpWanted = true;
        return;
      }
      const near = nearestWord(name, specs.filter((known) => !known.hidden).map((known) => known.name));
      throw new UsageError(`unknown flag: --${name}${near === null ? '' : `\nDid you mean --${near}?`}`, flagErrorCode);
    }
    if (equals >= 0) return set(spec, word.slice(equals + 1));
    if (spec.kind === 'bool') return set(spec, 'true');
    const value = words[at];
    if (value === undefined) throw new UsageError(`flag needs an argument: --${name}`, flagErrorCode);
    at++;
    set(spec, value);
  };

  const short = (word: string) => {
    for (let rest = word.slice(1); rest !== '';) {
      const letter = rest[0] ?? '';
      const spec = byShort.get(letter);
      rest = rest.slice(1);
      if (!spec) {
        if (letter === 'h') {
          helpWanted = true;
          return;
        }
        throw new UsageError(`unknown shorthand flag: '${letter}' in ${word}`, flagErrorCode);
      }
      if (rest.startsWith('=')) return set(spec, rest.slice(1));
      if (spec.kind === 'bool') {
        set(spec, 'true');
        continue;
      }
      if (rest !== '') return set(spec, rest);
      const value = words[at];
      if (value === undefined) throw new UsageError(`flag needs an argument: '${letter}' in ${word}`, flagErrorCode);
      at++;
      return set(spec, value);
    }
  };

  while (at < words.length) {
    const word = words[at] ?? '';
    at++;
    if (word === '--') {
      args.push(...words.slice(at));
      break;
    }
    if (word.startsWith('--')) long(word);
    else if (word.startsWith('-') && word.length > 1) short(word);
    else {
      args.push(word);
      if (!options.interspersed) {
        args.push(...words.slice(at));
        break;
      }
    }
    if (helpWanted) break;
  }
  return { flags: flagValues(specs, given), args, helpWanted };
}

function flagValues(specs: readonly FlagSpec[], given: ReadonlyMap<string, readonly string[]>): FlagValues {
  const known = new Map(specs.map((spec) => [spec.name, spec]));
  const values = (name: string): readonly string[] => {
    const spec = known.get(name);
    if (!spec) throw new Error(`the flag table has no --${name}`);
    return given.get(name) ?? (spec.default === undefined ? [] : [spec.default]);
  };
  const string = (name: string) => values(name).at(-1) ?? '';
  return {
    string,
    list: values,
    bool: (name) => parseBool(string(name)) ?? false,
    int: (name) => parseInteger(string(name)),
    given: (name) => given.has(name),
  };
}
