import type { Command, CommandContext } from '../command.ts';
import { commandGroups, commands } from '../commands/index.ts';
import type { CompletionSource, FlagSpec } from '../flags/flag-spec.ts';
import { globalFlags } from '../global-flags.ts';
import type { CliPorts } from '../ports.ts';
import { displayPath } from '../usage.ts';

const signals = ['HUP', 'INT', 'QUIT', 'KILL', 'USR1', 'USR2', 'TERM', 'CONT', 'STOP', 'WINCH'];

/** Tells the shell to complete file names itself. */
export const fileMarker = ':file';

interface Position {
  readonly command: Command | null;
  readonly group: string | null;
  readonly globals: readonly string[];
  /** The flag whose value is being typed. */
  readonly pending: FlagSpec | null;
}

/** Where the cursor stands: the words before it, walked through the tables. */
export function locate(words: readonly string[]): Position {
  const globals: string[] = [];
  let pending: FlagSpec | null = null;
  let group: string | null = null;
  let command: Command | null = null;
  for (const word of words) {
    if (pending) {
      if (!command) globals.push(word);
      pending = null;
      continue;
    }
    const flags = command ? command.flags : globalFlags;
    if (word.startsWith('-')) {
      if (!command) globals.push(word);
      const flag = flags.find(({ name, short }) => word === `--${name}` || (short !== undefined && /^-[A-Za-z]+$/.test(word) && word.endsWith(short)));
      if (flag && flag.kind !== 'bool') pending = flag;
      continue;
    }
    if (command) continue;
    const path: readonly string[] = group === null ? [word] : [group, word];
    command = commands.find((known) => [known.path, ...(known.aliases ?? [])].some((place) => place.join(' ') === path.join(' '))) ?? null;
    if (!command && group === null && commandGroups.some(({ name }) => name === word)) group = word;
  }
  return { command, group, globals, pending };
}

/** Candidates for the last of `words`, one a line, possibly with fileMarker. */
export async function completeWords(words: readonly string[], ports: CliPorts, connect: (globals: readonly string[]) => CommandContext): Promise<string> {
  const typed = words.at(-1) ?? '';
  const position = locate(words.slice(0, -1));
  const candidates = await candidatesAt(position, typed, () => connect(position.globals));
  return candidates.filter((word) => word.startsWith(typed) || word === fileMarker).map((word) => `${word}\n`).join('');
}

async function candidatesAt(position: Position, typed: string, connect: () => CommandContext): Promise<readonly string[]> {
  const { command, group, pending } = position;
  if (pending) return fromSource(pending.complete, connect);
  const [, name = '', equals] = /^--([\w-]+)(=)/.exec(typed) ?? [];
  if (equals !== undefined) {
    const flag = (command ? command.flags : globalFlags).find((known) => known.name === name && known.kind !== 'bool');
    return (await fromSource(flag?.complete, connect)).map((value) => (value === fileMarker ? value : `--${name}=${value}`));
  }
  if (typed.startsWith('-')) {
    const flags = command ? command.flags : globalFlags;
    return [...flags.filter(({ hidden }) => !hidden).map(({ name }) => `--${name}`), '--help'].sort();
  }
  if (command) return fromSource(command.completeArgs, connect);
  if (group !== null) return commands.filter(({ path, hidden }) => path[0] === group && !hidden).map(({ path }) => path[1] ?? '').sort();
  const top = commands.filter(({ hidden }) => !hidden).map(displayPath).filter((path) => path.length === 1).map(([name = '']) => name);
  return [...new Set([...top, ...commandGroups.map(({ name }) => name)])].sort();
}

async function fromSource(source: CompletionSource | undefined, connect: () => CommandContext): Promise<readonly string[]> {
  if (source === undefined) return [];
  if (typeof source === 'object') return source;
  if (source === 'file') return [fileMarker];
  if (source === 'signal') return signals;
  if (source === 'type') return ['container', 'image', 'network', 'volume'];
  try {
    const { api } = connect();
    switch (source) {
      case 'copy-place': return [...(await fromSource('container', connect)).map((name) => `${name}:`), fileMarker];
      case 'container': case 'running': {
        const containers = await api.get<Array<{ Names?: string[] | null }>>('/containers/json', { all: source === 'container' || undefined });
        return containers.flatMap(({ Names }) => (Names ?? []).map((name) => name.replace(/^\//, '')));
      }
      case 'image': return (await api.get<Array<{ RepoTags?: string[] | null }>>('/images/json')).flatMap(({ RepoTags }) => RepoTags ?? []);
      case 'network': return (await api.get<Array<{ Name: string }>>('/networks')).map(({ Name }) => Name);
      case 'volume': return ((await api.get<{ Volumes: Array<{ Name: string }> | null }>('/volumes')).Volumes ?? []).map(({ Name }) => Name);
    }
  } catch {
    // Completion without a daemon offers nothing; a message would spoil the line that is being typed.
    return [];
  }
}
