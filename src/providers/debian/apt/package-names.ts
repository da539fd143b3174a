import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/** Names of the packages in Packages files (uncompressed), without virtual ones. */
export async function readPackageNames(files: string[]): Promise<Set<string>> {
  const names = new Set<string>();
  for (const file of files) {
    const lines = createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Infinity });
    for await (const line of lines) if (line.startsWith('Package: ')) names.add(line.slice(9));
  }
  return names;
}

/** Up to `count` names nearest to `wanted`: by edit distance, and names that contain it or that it contains. */
export function nearestNames(wanted: string, names: Iterable<string>, count = 3): string[] {
  const limit = Math.max(2, Math.floor(wanted.length / 4));
  const scored: { name: string; score: number }[] = [];
  for (const name of names) {
    const distance = Math.abs(name.length - wanted.length) > limit ? limit + 1 : editDistance(wanted, name, limit);
    if (distance <= limit) scored.push({ name, score: distance });
    else if (wanted.length >= 4 && (name.startsWith(`${wanted}-`) || wanted.startsWith(`${name}-`))) scored.push({ name, score: limit + 1 });
  }
  return scored.toSorted((a, b) => a.score - b.score || a.name.localeCompare(b.name, 'en')).slice(0, count).map(({ name }) => name);
}

/** Levenshtein distance, or `limit` + 1 when it is larger than that. */
function editDistance(a: string, b: string, limit: number): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    if (Math.min(...row) > limit) return limit + 1;
    previous = row;
  }
  return previous[b.length] ?? limit + 1;
}
