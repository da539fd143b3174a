import { layoutTable } from '../../format/index.ts';
import { atLeast, type Command } from '../command.ts';
import { inPath } from './each.ts';

export const topCommand: Command = {
  path: ['container', 'top'], aliases: [['top']], usage: 'CONTAINER [ps OPTIONS]', summary: 'Show the processes of a container', flags: [], args: atLeast(1), interspersed: false, completeArgs: 'running',
  async run(context) {
    const [name = '', ...options] = context.args;
    const table = await context.api.get<{ Titles: string[]; Processes: string[][] | null }>(`/containers/${inPath(name)}/top`, { ps_args: options.join(' ') });
    const lines = [table.Titles, ...(table.Processes ?? [])].map((cells) => cells.join('\t'));
    await context.print(layoutTable(lines, 20).map((line) => `${line}\n`).join(''));
    return 0;
  },
};
