import type { Command } from './command.ts';
import { flagTypeName, type FlagSpec } from './flags/flag-spec.ts';
import { displayPath, usageLine } from './usage.ts';

export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
}

/** Breaks a text into lines of at most `width` characters. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === '' ? word : `${line} ${word}`;
      }
    }
    return [...lines, line];
  });
}

function shownDefault(flag: FlagSpec): string {
  if (flag.default === undefined || flag.default === '' || flag.default === 'false') return '';
  const quoted = ['string', 'list'].includes(flag.kind) ? JSON.stringify(flag.default) : flag.default;
  return ` (default ${quoted})`;
}

export function flagLines(flags: readonly FlagSpec[], columns: number): string[] {
  const shown = flags.filter((flag) => !flag.hidden).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const left = shown.map((flag) => {
    const short = flag.short === undefined ? '    ' : `-${flag.short}, `;
    const type = flagTypeName(flag.kind);
    return `  ${short}--${flag.name}${type === '' ? '' : ` ${type}`}`;
  });
  const start = Math.max(...left.map((text) => text.length)) + 3;
  return shown.flatMap((flag, at) => {
    const lines = wrap(flag.help + shownDefault(flag), Math.max(24, columns - start));
    return lines.map((line, number) => (number === 0 ? (left[at] ?? '').padEnd(start) : ' '.repeat(start)) + line);
  });
}

function summaryLines(rows: ReadonlyArray<readonly [string, string]>): string[] {
  const width = Math.max(...rows.map(([name]) => name.length), 11);
  return rows.map(([name, summary]) => `  ${name.padEnd(width)} ${summary}`);
}

/** Help of one command, under the name it was called by. */
export function commandHelp(program: string, path: readonly string[], command: Command, columns: number): string {
  const lines = [`Usage:  ${usageLine(program, path, command)}`, '', command.summary];
  if (command.details !== undefined) lines.push('', command.details);
  const places = [command.path, ...(command.aliases ?? [])];
  if (places.length > 1) lines.push('', 'Aliases:', `  ${places.map((place) => [program, ...place].join(' ')).join(', ')}`);
  if (command.flags.some((flag) => !flag.hidden)) lines.push('', 'Options:', ...flagLines(command.flags, columns));
  return `${lines.join('\n')}\n`;
}

export function groupHelp(program: string, group: CommandGroup, commands: readonly Command[]): string {
  const rows = commands.filter((command) => command.path[0] === group.name && !command.hidden)
    .map((command) => [command.path.slice(1).join(' '), command.summary] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [
    `Usage:  ${program} ${group.name} COMMAND`, '', group.summary, '', 'Commands:', ...summaryLines(rows), '',
    `Run '${program} ${group.name} COMMAND --help' for more information on a command.`, '',
  ].join('\n');
}

export function programHelp(
  program: string, groups: readonly CommandGroup[], commands: readonly Command[], globalFlags: readonly FlagSpec[], columns: number,
): string {
  const top = commands.filter((command) => displayPath(command).length === 1 && !command.hidden);
  const rows = (list: readonly Command[]) => summaryLines(list.map((command) => [displayPath(command).join(' '), command.summary] as const));
  const byName = (a: Command, b: Command) => ((displayPath(a)[0] ?? '') < (displayPath(b)[0] ?? '') ? -1 : 1);
  return [
    `Usage:  ${program} [OPTIONS] COMMAND`, '', 'Runs containers', '',
    'Common Commands:', ...rows(top.filter((command) => command.common)), '',
    'Management Commands:', ...summaryLines(groups.map((group) => [group.name, group.summary] as const)), '',
    'Commands:', ...rows(top.filter((command) => !command.common).toSorted(byName)), '',
    'Global Options:', ...flagLines(globalFlags, columns), '',
    `Run '${program} COMMAND --help' for more information on a command.`, '',
  ].join('\n');
}
