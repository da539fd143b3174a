import { compileTemplate } from '../../format/index.ts';
import { textLines } from '../../http/client.ts';
import { noArguments, type Command, type CommandContext } from '../command.ts';
import { filterQuery } from '../output/filters.ts';
import { apiTime } from '../output/time-argument.ts';
import { rfc3339NanoText } from '../output/time-text.ts';
import { filterFlag } from './shared-flags.ts';

interface EngineEvent {
  readonly Type?: string;
  readonly Action?: string;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> | null };
  readonly time?: number;
}

/** "2026-11-20T23:24:00.123456789Z container start <id> (image=busybox, name=web)". */
export function eventLine(event: EngineEvent, nanoseconds: number): string {
  const attributes = Object.entries(event.Actor?.Attributes ?? {}).map(([name, value]) => `${name}=${value}`).sort();
  const time = rfc3339NanoText(event.time ?? 0, nanoseconds);
  return `${time} ${event.Type ?? ''} ${event.Action ?? ''} ${event.Actor?.ID ?? ''}${attributes.length > 0 ? ` (${attributes.join(', ')})` : ''}`;
}

/** Nanoseconds below the second, out of the text: as a number they would be rounded. */
export function nanosecondsOf(line: string): number {
  const digits = /"timeNano":(\d{10,})/.exec(line)?.[1];
  return digits === undefined ? 0 : Number(digits.slice(-9));
}

async function events(context: CommandContext): Promise<number> {
  const { api, flags, ports } = context;
  const now = ports.clock.now();
  const format = flags.string('format');
  const template = format === '' || format === 'json' ? null : compileTemplate(format.replaceAll('\\t', '\t').replaceAll('\\n', '\n'));
  const query = { since: apiTime(flags.string('since'), now), until: apiTime(flags.string('until'), now), filters: filterQuery(flags.list('filter')) };
  const answer = await api.stream('GET', '/events', { query });
  try {
    for await (const text of textLines(answer.body, ports.codec)) {
      if (text.trim() === '') continue;
      const event = JSON.parse(text) as EngineEvent;
      const line = format === 'json' ? text.trim() : template ? template.render(event) : eventLine(event, nanosecondsOf(text));
      await context.print(`${line}\n`);
    }
  } finally {
    answer.close();
  }
  return 0;
}

export const eventsCommand: Command = {
  path: ['system', 'events'], aliases: [['events']], usage: '', summary: 'Show what happens in the engine, as it happens', args: noArguments,
  flags: [
    { ...filterFlag, complete: ['container=', 'event=', 'image=', 'label=', 'network=', 'type=', 'volume=', 'daemon='] },
    { name: 'format', kind: 'string', help: 'Output format: json, or a Go TEMPLATE' },
    { name: 'since', kind: 'string', help: 'Begin at a time, or so long ago' },
    { name: 'until', kind: 'string', help: 'End at a time, or so long ago' },
  ],
  run: events,
};
