import { UsageError } from './cli-error.ts';
import type { Command } from './command.ts';
import { commandGroups, commands, unsupportedVerbs } from './commands/index.ts';
import type { CommandGroup } from './help.ts';
import { nearestWord } from './nearest.ts';
import { displayPath } from './usage.ts';

export type Resolved =
  | { readonly kind: 'command'; readonly command: Command; readonly path: readonly string[]; readonly rest: readonly string[] }
  | { readonly kind: 'group'; readonly group: CommandGroup; readonly rest: readonly string[] };

function find(path: readonly string[]): Command | undefined {
  const same = (place: readonly string[]) => place.length === path.length && place.every((word, at) => word === path[at]);
  return commands.find((command) => same(command.path) || command.aliases?.some(same));
}

/** Finds the verb that the words begin with; a wrong one is an error that names the nearest. */
export function resolveCommand(program: string, words: readonly string[]): Resolved {
  const [first = '', second] = words;
  const group = commandGroups.find(({ name }) => name === first);
  if (group) {
    if (second === undefined || second.startsWith('-')) return { kind: 'group', group, rest: words.slice(1) };
    const command = find([first, second]);
    if (command) return { kind: 'command', command, path: [first, second], rest: words.slice(2) };
    const known = commands.filter((candidate) => candidate.path[0] === first).map((candidate) => candidate.path[1] ?? '');
    throw new UsageError(
      `${program}: unknown command: ${program} ${first} ${second}${suggestion(second, known, (near) => `${program} ${first} ${near}`)}\n\n`
      + `Usage:  ${program} ${first}\n\nRun '${program} ${first} --help' for more information`);
  }
  const command = find([first]);
  if (command) return { kind: 'command', command, path: [first], rest: words.slice(1) };
  const reason = unsupportedVerbs[first];
  if (reason !== undefined) throw new UsageError(`${program}: '${program} ${first}' is not part of minke: ${reason}`);
  const known = [...commandGroups.map(({ name }) => name), ...commands.filter((candidate) => !candidate.hidden).map((candidate) => displayPath(candidate)).filter((path) => path.length === 1).map(([name = '']) => name)];
  throw new UsageError(
    `${program}: unknown command: ${program} ${first}${suggestion(first, known, (near) => `${program} ${near}`)}\n\n`
    + `Run '${program} --help' for more information`);
}

function suggestion(word: string, known: readonly string[], show: (near: string) => string): string {
  const near = nearestWord(word, known);
  return near === null ? '' : `\n\nDid you mean '${show(near)}'?`;
}
