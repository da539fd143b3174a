import type { Outcome } from '../../engine/support/lab.ts';

/** identical: status and all output; words: the same but for what is said on stderr; different: anything else. */
export type Verdict = 'identical' | 'words' | 'different';

/** What differs from run to run or engine to engine without meaning: ids, times, sizes, addresses, columns' widths. */
export function normalise(text: string, folder: string): string {
  return text
    .replaceAll(folder, '<folder>')
    .replaceAll(/\bsha256:[0-9a-f]{64}\b/g, '<digest>')
    .replaceAll(/\b[0-9a-f]{64}\b/g, '<id>')
    .replaceAll(/\b(?=[0-9a-f]*\d)[0-9a-f]{12}\b/g, '<short>')
    .replaceAll(/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| ?[+-]\d\d:?\d\d(?: [A-Z]+)?)?/g, '<time>')
    .replaceAll(/\b(?:Less than a second|About an? (?:minute|hour)|\d+ (?:second|minute|hour)s?)\b/g, '<age>')
    .replaceAll(/\b\d+(?:\.\d+)? ?(?:[kMG]i?)?B\b/g, '<size>')
    .replaceAll(/\b(?:172\.\d+|10\.114)\.\d+\.\d+\b/g, '<address>')
    .replaceAll(/[ \t]+/g, ' ')
    .trim();
}

export function judge(one: Outcome, other: Outcome, folders: readonly [string, string]): Verdict {
  const same = one.code === other.code && normalise(one.stdout, folders[0]) === normalise(other.stdout, folders[1]);
  if (!same) return 'different';
  return normalise(one.stderr, folders[0]) === normalise(other.stderr, folders[1]) ? 'identical' : 'words';
}
