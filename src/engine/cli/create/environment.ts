import { CliError } from '../cli-error.ts';

/** Lines of an env file or label file: blank ones and those that begin with # are skipped. */
export function parseKeyValueFile(path: string, text: string): string[] {
  return text.replace(/^\uFEFF/, '').split(/\r?\n/).map((line) => line.trimStart()).filter((line) => line !== '' && !line.startsWith('#')).map((line) => {
    const name = line.split('=', 1)[0] ?? '';
    if (name === '') throw new CliError(`invalid environment file (${path}): no variable name on line '${line}'`);
    if (/\s/.test(name)) throw new CliError(`invalid environment file (${path}): variable '${name}' contains whitespaces`);
    return line;
  });
}

/**
 * NAME=VALUE pairs from files and flags. A NAME alone takes our own value; when we have none, a file's NAME goes, and a
 * flag's NAME stays: it tells the daemon to take the variable out of the image's.
 */
export function resolveEnvironment(fileLines: readonly string[], flagValues: readonly string[], own: Readonly<Record<string, string>>): string[] {
  const known = (entry: string) => (entry.includes('=') ? entry : own[entry] === undefined ? null : `${entry}=${own[entry]}`);
  return [...fileLines.flatMap((line) => known(line) ?? []), ...flagValues.map((value) => known(value) ?? value)];
}

/** "key" and "key=value" entries as a map, later ones winning. */
export function keyValueMap(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(entries.map((entry) => {
    const equals = entry.indexOf('=');
    return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
  }));
}
