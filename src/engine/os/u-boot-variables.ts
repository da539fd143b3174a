import type { Files } from '../ports/index.ts';

const MAX_BYTES = 4096;

/** Variables of a file that U-Boot takes with `env import -t`; none where there is no such file. */
export function ubootVariables(files: Pick<Files, 'exists' | 'readText'>, path: string): ReadonlyMap<string, string> {
  // U-Boot ends what it exports with a zero byte.
  const text = files.exists(path) ? files.readText(path, MAX_BYTES).replaceAll('\0', '\n') : '';
  return new Map(text.split('\n').flatMap((line) => (line.includes('=') ? [[line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const] : [])));
}
