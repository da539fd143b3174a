import { OsbuildError } from '../../model/index.ts';
import { cacheUsage, pruneCache } from '../../cache/index.ts';
import { bytesText } from '../../report/index.ts';
import { composeImages } from '../build/compose.ts';
import { fleet, machinesOption } from '../build/selection.ts';
import { Session } from '../build/session.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';
import { table } from '../table.ts';
import { lockOptions } from './image.ts';

export const cache: Command = {
  name: 'cache',
  usage: '[size|prune|push]',
  summary: 'Show what the cache holds, remove what was not used for a while, or share what it has',
  details: 'push stores what this machine has built for some machines on the server that OSBUILD_REMOTE_CACHE or remoteCache.url names.',
  options: {
    'unused-for': { type: 'string', value: 'days', help: 'prune: keep what was used in so many days (default 14; 0: keep nothing)' },
    keep: { type: 'string', value: 'size', help: 'prune: remove what was used longest ago until so much is left, e.g. 20GB' },
    ...machinesOption,
    ...lockOptions,
    'dry-run': { type: 'boolean', short: 'n', help: 'prune: only say what would go' },
  },
  arguments: { min: 0, max: 1 },
  async run(invocation) {
    const { words, flags, out, layout } = invocation;
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
    if (verb === 'push') return push(invocation);
    if (verb !== 'prune') throw new OsbuildError('OSB_USAGE', `osbuild cache has no verb "${verb}"`, { hint: 'size, prune or push' });
    const days = Number(flags.text('unused-for') ?? 14);
    if (!Number.isFinite(days) || days < 0) throw new OsbuildError('OSB_USAGE', '--unused-for wants a number of days');
    const dryRun = flags.on('dry-run');
    const pruned = await pruneCache(layout, { unusedSince: new Date(Date.now() - days * 86_400_000), keepBytes: keepBytes(flags.text('keep')), dryRun });
    if (flags.on('json')) out(`${JSON.stringify({ dryRun, ...pruned })}\n`);
    else out(`${dryRun ? 'would remove' : 'removed'} ${pruned.results} results, ${pruned.blobs} blobs, ${pruned.trees} trees: ${bytesText(pruned.bytes)}\n`);
    return 0;
  },
};

/** "20GB", "512 MB": powers of ten, as `osbuild cache size` prints them. */
function keepBytes(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?([kMGT]?)B?$/.exec(text) ?? [];
  if (number === undefined) throw new OsbuildError('OSB_USAGE', `--keep wants a size, not "${text}"`, { hint: 'for example 20GB or 500MB' });
  return Number(number) * 1000 ** ['', 'k', 'M', 'G', 'T'].indexOf(unit ?? '');
}

async function push(invocation: Invocation): Promise<number> {
  const project = await openProject(invocation);
  const machines = fleet(invocation, project);
  const session = new Session(invocation, project);
  return session.attended(async () => {
    const { plan } = await composeImages(invocation, project, machines, session.world);
    const there = await session.push(await session.key(plan));
    if (!invocation.flags.on('json')) invocation.out(`the shared cache has ${there} results of ${machines.map(({ name }) => name).join(', ')}\n`);
    return 0;
  });
}
