import { ellipsis, formatRows, humanSizeWithPrecision, shortId, timeAgo } from '../../format/index.ts';
import { exactly, type Command } from '../command.ts';
import { rfc3339Text } from '../output/time-text.ts';
import { imagePath } from './image-actions.ts';
import { listFormatFlag, noTruncFlag, quietFlag } from './shared-flags.ts';

interface HistoryEntry {
  readonly Id: string;
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Size: number;
  readonly Comment: string;
}

const titles = { ID: 'IMAGE', CreatedSince: 'CREATED', CreatedAt: 'CREATED AT', CreatedBy: 'CREATED BY', Size: 'SIZE', Comment: 'COMMENT' };

export const historyCommand: Command = {
  path: ['image', 'history'], aliases: [['history']], usage: 'IMAGE', summary: 'Show how an image came about', args: exactly(1), completeArgs: 'image',
  flags: [
    listFormatFlag, { name: 'human', short: 'H', kind: 'bool', help: 'Show sizes and times for people', default: 'true' }, noTruncFlag, quietFlag('image IDs'),
    { name: 'platform', kind: 'string', help: 'Platform of the image', hidden: true },
  ],
  async run(context) {
    const { api, flags, ports } = context;
    const entries = await api.get<HistoryEntry[]>(`/images/${imagePath(context.args[0] ?? '')}/history`);
    const human = flags.bool('human');
    const created = human ? 'CreatedSince' : 'CreatedAt';
    const truncate = !flags.bool('no-trunc');
    const rows = entries.map((entry) => {
      const createdBy = entry.CreatedBy.replaceAll('\t', ' ');
      return {
        ID: truncate ? shortId(entry.Id) : entry.Id,
        CreatedSince: human ? (entry.Created > 0 ? timeAgo(entry.Created * 1000, ports.clock.now()) : 'N/A') : rfc3339Text(entry.Created * 1000),
        CreatedAt: rfc3339Text(entry.Created * 1000), CreatedBy: truncate ? ellipsis(createdBy, 45) : createdBy,
        Size: human ? humanSizeWithPrecision(entry.Size, 3) : String(entry.Size), Comment: entry.Comment,
      };
    });
    await context.print(formatRows(rows, {
      format: flags.string('format'), titles, quiet: flags.bool('quiet') ? '{{.ID}}' : null,
      defaultTable: '{{.ID}}\t{{.PLACE}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}'.replace('PLACE', created),
    }));
    return 0;
  },
};
