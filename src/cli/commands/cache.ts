import { OsbuildError } from '../../model/index.ts';
import { cacheUsage, pruneCache } from '../../cache/index.ts';
import { bytesText } from '../../report/index.ts';
import type { Command } from '../command.ts';
import { table } from '../table.ts';

export const cache: Command = {
  name: 'cache',
  usage: '[size|prune]',
  summary: 'Show what the cache holds, or remove what was not used for a while',
  options: {
    'unused-for': { type: 'string', value: 'days', help: 'prune: keep what was used in so many days (default 14; 0: keep nothing)' },
    'dry-run': { type: 'boolean', short: 'n', help: 'prune: only say what would go' },
  },
  arguments: { min: 0, max: 1 },
  async run({ words, flags, out, layout }) {
    const verb = words[0] ?? 'size';
    if (verb === 'size') {
      const usage = await cacheUsage(layout);
      if (flags.on('json')) out(`${JSON.stringify({ folder: layout.root, ...usage })}\n`);
      else {
        const rows = (['blobs', 'trees', 'partials'] as const).map((kind) => [kind, String(usage[kind].count), bytesText(usage[kind].bytes)]);
        out(`${layout.root}\n${table(['WHAT', 'COUNT', 'SIZE'], [...rows, ['all', '', bytesText(usage.totalBytes)]])}`);
      }
      return 0;
    }
    if (verb !== 'prune') throw new OsbuildError('OSB_USAGE', `osbuild cache has no verb "${verb}"`, { hint: 'size or prune' });
    const days = Number(flags.text('unused-for') ?? 14);
    if (!Number.isFinite(days) || days < 0) throw new OsbuildError('OSB_USAGE', '--unused-for wants a number of days');
    const dryRun = flags.on('dry-run');
    const pruned = await pruneCache(layout, { unusedSince: new Date(Date.now() - days * 86_400_000), dryRun });
    if (flags.on('json')) out(`${JSON.stringify({ dryRun, ...pruned })}\n`);
    else out(`${dryRun ? 'would remove' : 'removed'} ${pruned.results} results, ${pruned.blobs} blobs, ${pruned.trees} trees: ${bytesText(pruned.bytes)}\n`);
    return 0;
  },
};
