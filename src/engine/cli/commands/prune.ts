import { humanSizeWithPrecision } from '../../format/index.ts';
import { ApiError } from '../api/api-client.ts';
import { CliError } from '../cli-error.ts';
import { noArguments, type Command, type CommandContext } from '../command.ts';
import { filterQuery } from '../output/filters.ts';
import { confirm } from './confirm.ts';
import { forceFlag, longFilterFlag } from './shared-flags.ts';

interface Pruned {
  readonly text: string;
  readonly reclaimedBytes: number;
}

function listed(title: string, names: readonly string[] | null | undefined): string {
  return names && names.length > 0 ? `${title}:\n${names.map((name) => `${name}\n`).join('')}\n` : '';
}

async function pruneContainers({ api }: CommandContext, filters: readonly string[]): Promise<Pruned> {
  const report = await api.post<{ ContainersDeleted?: string[] | null; SpaceReclaimed?: number }>('/containers/prune', { query: { filters: filterQuery(filters) } });
  return { text: listed('Deleted Containers', report.ContainersDeleted), reclaimedBytes: report.SpaceReclaimed ?? 0 };
}

async function pruneNetworks({ api }: CommandContext, filters: readonly string[]): Promise<Pruned> {
  const report = await api.post<{ NetworksDeleted?: string[] | null }>('/networks/prune', { query: { filters: filterQuery(filters) } });
  return { text: listed('Deleted Networks', report.NetworksDeleted), reclaimedBytes: 0 };
}

async function pruneVolumes({ api }: CommandContext, filters: readonly string[], all: boolean): Promise<Pruned> {
  const report = await api.post<{ VolumesDeleted?: string[] | null; SpaceReclaimed?: number }>('/volumes/prune', { query: { filters: filterQuery([...filters, ...(all ? ['all=true'] : [])]) } });
  return { text: listed('Deleted Volumes', report.VolumesDeleted), reclaimedBytes: report.SpaceReclaimed ?? 0 };
}

async function pruneImages({ api }: CommandContext, filters: readonly string[], all: boolean): Promise<Pruned> {
  const report = await api.post<{ ImagesDeleted?: Array<{ Untagged?: string; Deleted?: string }> | null; SpaceReclaimed?: number }>(
    '/images/prune', { query: { filters: filterQuery([...filters, `dangling=${all ? 'false' : 'true'}`]) } });
  const lines = (report.ImagesDeleted ?? []).map(({ Untagged, Deleted }) => (Untagged !== undefined && Untagged !== '' ? `untagged: ${Untagged}` : `deleted: ${Deleted ?? ''}`));
  return { text: listed('Deleted Images', lines), reclaimedBytes: report.SpaceReclaimed ?? 0 };
}

/** The build cache, where the daemon has one. */
async function pruneBuildCache({ api }: CommandContext, filters: readonly string[], all: boolean): Promise<Pruned> {
  try {
    const report = await api.post<{ CachesDeleted?: string[] | null; SpaceReclaimed?: number }>('/build/prune', { query: { filters: filterQuery(filters), all: all || undefined } });
    return { text: listed('Deleted build cache objects', report.CachesDeleted), reclaimedBytes: report.SpaceReclaimed ?? 0 };
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 501)) return { text: '', reclaimedBytes: 0 };
    throw error;
  }
}

function reclaimed(sizeBytes: number): string {
  return `Total reclaimed space: ${humanSizeWithPrecision(sizeBytes, 4)}\n`;
}

function pruneCommand(kind: string, summary: string, warning: (all: boolean) => string, allHelp: string | null, space: boolean, prune: (context: CommandContext, filters: readonly string[], all: boolean) => Promise<Pruned>): Command {
  return {
    path: [kind, 'prune'], usage: '', summary, args: noArguments,
    flags: [...(allHelp === null ? [] : [{ name: 'all', short: 'a', kind: 'bool' as const, help: allHelp }]), longFilterFlag, forceFlag],
    async run(context) {
      const all = allHelp !== null && context.flags.bool('all');
      if (!(await confirm(context, warning(all)))) return 0;
      const { text, reclaimedBytes } = await prune(context, context.flags.list('filter'), all);
      await context.print(text + (space ? reclaimed(reclaimedBytes) : ''));
      return 0;
    },
  };
}

const systemPrune: Command = {
  path: ['system', 'prune'], usage: '', summary: 'Remove unused data', args: noArguments,
  flags: [
    { name: 'all', short: 'a', kind: 'bool', help: 'Remove every image that no container uses, not only untagged ones' }, longFilterFlag, forceFlag,
    { name: 'volumes', kind: 'bool', help: 'Remove anonymous volumes that no container uses' },
  ],
  async run(context) {
    const { flags } = context;
    const filters = flags.list('filter');
    if (flags.bool('volumes') && filters.some((filter) => filter.startsWith('until='))) throw new CliError('ERROR: The "until" filter is not supported with "--volumes"');
    const parts = ['all stopped containers', 'all networks not used by at least one container',
      ...(flags.bool('volumes') ? ['all anonymous volumes not used by at least one container'] : []),
      flags.bool('all') ? 'all images without at least one container associated to them' : 'all dangling images', flags.bool('all') ? 'all build cache' : 'unused build cache'];
    const warning = `WARNING! This will remove:\n${parts.map((part) => `  - ${part}\n`).join('')}`;
    if (!(await confirm(context, warning))) return 0;
    let total = 0;
    const withoutUntil = filters.filter((filter) => !filter.startsWith('until='));
    const steps = [
      () => pruneContainers(context, filters), () => pruneNetworks(context, filters),
      ...(flags.bool('volumes') ? [() => pruneVolumes(context, withoutUntil, false)] : []), () => pruneImages(context, filters, flags.bool('all')),
      () => pruneBuildCache(context, filters.filter((filter) => filter.startsWith('until=')), flags.bool('all')),
    ];
    for (const step of steps) {
      const { text, reclaimedBytes } = await step();
      total += reclaimedBytes;
      await context.print(text);
    }
    await context.print(reclaimed(total));
    return 0;
  },
};

export const pruneCommands: readonly Command[] = [
  pruneCommand('container', 'Remove all stopped containers', () => 'WARNING! This will remove all stopped containers.', null, true, pruneContainers),
  pruneCommand('image', 'Remove unused images', (all) => `WARNING! This will remove all ${all ? 'images without at least one container associated to them' : 'dangling images'}.`, 'Remove every image that no container uses', true, pruneImages),
  pruneCommand('volume', 'Remove unused volumes', (all) => `WARNING! This will remove ${all ? 'all' : 'anonymous local'} volumes not used by at least one container.`, 'Remove named volumes too', true, pruneVolumes),
  pruneCommand('network', 'Remove unused networks', () => 'WARNING! This will remove all custom networks not used by at least one container.', null, false, pruneNetworks),
  systemPrune,
];
