import { exactly, type Command, type CommandContext } from '../command.ts';
import { apiTime } from '../output/time-argument.ts';
import { createDemultiplexer } from '../session/multiplex.ts';
import type { ContainerDetails } from './container-start.ts';
import { inPath } from './each.ts';

async function logs(context: CommandContext): Promise<number> {
  const { api, flags, ports } = context;
  const container = await api.get<ContainerDetails>(`/containers/${inPath(context.args[0] ?? '')}/json`);
  const on = (flag: string) => flags.bool(flag) || undefined;
  const answer = await api.stream('GET', `/containers/${container.Id}/logs`, {
    query: {
      stdout: true, stderr: true, follow: on('follow'), timestamps: on('timestamps'), details: on('details'), tail: flags.string('tail'),
      since: apiTime(flags.string('since'), ports.clock.now()), until: apiTime(flags.string('until'), ports.clock.now()),
    },
  });
  try {
    const demultiplexer = createDemultiplexer((stream, data) => ports[stream].write(data));
    for (let chunk = await answer.body.read(); chunk !== null; chunk = await answer.body.read()) {
      if (container.Config.Tty) await ports.stdout.write(chunk);
      else await demultiplexer.push(chunk);
    }
    demultiplexer.end();
  } finally {
    answer.close();
  }
  return 0;
}

export const logsCommand: Command = {
  path: ['container', 'logs'], aliases: [['logs']], usage: 'CONTAINER', summary: 'Show what a container has put out',
  flags: [
    { name: 'details', kind: 'bool', help: 'Show what the log driver knows besides' },
    { name: 'follow', short: 'f', kind: 'bool', help: 'Go on showing new output' },
    { name: 'since', kind: 'string', help: 'Begin at a time (2026-01-02T13:23:37Z) or so long ago (42m)' },
    { name: 'tail', short: 'n', kind: 'string', help: 'Number of lines from the end', default: 'all' },
    { name: 'timestamps', short: 't', kind: 'bool', help: 'Show times' },
    { name: 'until', kind: 'string', help: 'End at a time, or so long ago' },
  ],
  args: exactly(1), completeArgs: 'container', run: logs,
};
