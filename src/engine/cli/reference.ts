import type { Command } from './command.ts';
import { commandGroups, commands, unsupportedVerbs } from './commands/index.ts';
import { flagTypeName, type FlagSpec } from './flags/flag-spec.ts';
import { globalFlags } from './global-flags.ts';
import { displayPath, usageLine } from './usage.ts';

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

function flagTable(flags: readonly FlagSpec[]): string[] {
  const shown = flags.filter((flag) => !flag.hidden).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  if (shown.length === 0) return [];
  const rows = shown.map((flag) => {
    const type = flagTypeName(flag.kind);
    const name = `${flag.short === undefined ? '' : `\`-${flag.short}\`, `}\`--${flag.name}${type === '' ? '' : ` ${type}`}\``;
    const fallback = flag.default === undefined || flag.default === '' || flag.default === 'false' ? '' : `\`${flag.default}\``;
    return `| ${name} | ${cell(flag.help)} | ${cell(fallback)} |`;
  });
  return ['', '| Flag | Meaning | Default |', '|---|---|---|', ...rows];
}

function section(command: Command): string[] {
  const path = displayPath(command);
  const others = [command.path, ...(command.aliases ?? [])].filter((place) => place !== path).map((place) => `\`minke ${place.join(' ')}\``);
  return [
    `### minke ${path.join(' ')}`, '', `\`${usageLine('minke', path, command)}\``, '', `${command.summary}.${command.details === undefined ? '' : ` ${command.details}`}`,
    ...(others.length > 0 ? ['', `Also: ${others.join(', ')}.`] : []), ...flagTable(command.flags), '',
  ];
}

/** docs/engine/cli.md: every verb and flag, out of the tables that parse and complete them. */
export function commandReference(): string {
  const shown = commands.filter((command) => !command.hidden);
  const top = shown.filter((command) => displayPath(command).length === 1).toSorted((a, b) => (displayPath(a).join() < displayPath(b).join() ? -1 : 1));
  const grouped = shown.filter((command) => displayPath(command).length > 1).toSorted((a, b) => (a.path.join() < b.path.join() ? -1 : 1));
  return [
    '# The minke command line', '',
    '<!-- Generated from src/engine/cli by docs/engine/generate.mjs: change the tables there, then run it. -->', '',
    'The verbs, flags, output and exit statuses are those of the docker command line. Called by the name `docker`, the program also speaks of itself as docker does.', '',
    'It asks the daemon at `-H`, else `$MINKE_HOST`, else `$DOCKER_HOST`, else `unix:///run/minke.sock`, and agrees with it on an API version (1.24 to 1.47).', '',
    '## Exit statuses', '',
    '| Status | Meaning |', '|---|---|', '| 0 | Done |', '| 1 | The daemon refused, or something failed |', '| 125 | A flag is wrong; or `run` and `create`: the container was not started |',
    '| 126, 127 | `run`, `exec`: the command cannot be executed, is not found |', '| 141 | Nobody reads the output any more |', '| other | `run`, `start -a`, `attach`, `exec`: that of the command in the container |', '',
    '## Templates', '',
    '`--format` takes `json` or a Go template; listings also take `table TEMPLATE`. Known are fields, `if` `else` `range` `with` `define` `template` `block` `break` `continue`, variables, pipelines, comments and `{{-` trimming, and the functions',
    '`and or not eq ne lt le gt ge index slice len print printf println html urlquery json join split lower upper title truncate pad`.',
    'A field is found by its JSON key, or by the same letters in another case (`.ID` and `.Id`).', '',
    '## Global flags', ...flagTable(globalFlags), '',
    '## Commands', '', ...top.flatMap(section),
    '## Groups', '', ...commandGroups.map((group) => `- \`minke ${group.name}\`: ${group.summary.toLowerCase()}`), '', ...grouped.flatMap(section),
    '## Left out', '', 'These verbs of Docker end with an error that says what to do instead.', '',
    '| Verb | Why, and what instead |', '|---|---|', ...Object.entries(unsupportedVerbs).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([verb, reason]) => `| \`${verb}\` | ${cell(reason)} |`), '',
  ].join('\n');
}
