import { ellipsis, formatRows, goQuote, humanSize, humanSizeWithPrecision, shortId, timeAgo, type Row } from '../../format/index.ts';
import { noArguments, type Command, type CommandContext } from '../command.ts';
import { filterQuery } from '../output/filters.ts';
import { portText, type ContainerPort } from '../output/port-text.ts';
import { goTimeText } from '../output/time-text.ts';
import { filterFlag, listFormatFlag, noTruncFlag, quietFlag } from './shared-flags.ts';

interface ContainerSummary {
  readonly Id: string;
  readonly Names?: readonly string[] | null;
  readonly Image: string;
  readonly ImageID?: string;
  readonly Command: string;
  /** Seconds since the epoch. */
  readonly Created: number;
  readonly Ports?: readonly ContainerPort[] | null;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly State: string;
  readonly Status: string;
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
  readonly Mounts?: ReadonlyArray<{ readonly Name?: string; readonly Source?: string; readonly Driver?: string }> | null;
  readonly NetworkSettings?: { readonly Networks?: Readonly<Record<string, unknown>> | null } | null;
}

const titles = {
  ID: 'CONTAINER ID', Names: 'NAMES', Image: 'IMAGE', Command: 'COMMAND', CreatedAt: 'CREATED AT', RunningFor: 'CREATED', Ports: 'PORTS',
  State: 'STATE', Status: 'STATUS', Size: 'SIZE', Labels: 'LABELS', Mounts: 'MOUNTS', LocalVolumes: 'LOCAL VOLUMES', Networks: 'NETWORKS', Platform: 'PLATFORM',
};

function namesText(names: readonly string[], truncate: boolean): string {
  const stripped = names.map((name) => name.replace(/^\//, ''));
  if (!truncate) return stripped.join(',');
  return stripped.find((name) => !name.includes('/')) ?? stripped.join(',');
}

function imageText(summary: ContainerSummary, truncate: boolean): string {
  if (summary.Image === '') return '<no image>';
  if (!truncate) return summary.Image;
  const id = shortId(summary.ImageID ?? '');
  if (id !== '' && shortId(summary.Image) === id) return id;
  return summary.Image.includes('@') && !summary.Image.startsWith('sha256:') ? summary.Image.slice(0, summary.Image.indexOf('@')) : summary.Image;
}

/** Fields of one container in listings. */
export function containerRow(summary: ContainerSummary, nowMs: number, truncate: boolean): Row {
  const mounts = (summary.Mounts ?? []).map((mount) => mount.Name || mount.Source || '');
  const labels = summary.Labels ?? {};
  return {
    ID: truncate ? shortId(summary.Id) : summary.Id,
    Names: namesText(summary.Names ?? [], truncate),
    Image: imageText(summary, truncate),
    Command: goQuote(truncate ? ellipsis(summary.Command, 20) : summary.Command),
    CreatedAt: goTimeText(summary.Created * 1000),
    RunningFor: timeAgo(summary.Created * 1000, nowMs),
    Ports: portText(summary.Ports ?? []),
    State: summary.State,
    Status: summary.Status,
    Size: summary.SizeRootFs ? `${humanSizeWithPrecision(summary.SizeRw ?? 0, 3)} (virtual ${humanSizeWithPrecision(summary.SizeRootFs, 3)})` : humanSize(summary.SizeRw ?? 0),
    Labels: Object.entries(labels).map(([name, value]) => `${name}=${value}`).join(','),
    Label: (name: unknown) => labels[String(name)] ?? '',
    Mounts: mounts.map((mount) => (truncate ? ellipsis(mount, 15) : mount)).join(','),
    LocalVolumes: String((summary.Mounts ?? []).filter((mount) => mount.Driver === 'local').length),
    Networks: Object.keys(summary.NetworkSettings?.Networks ?? {}).join(','),
    Platform: null,
  };
}

async function listContainers(context: CommandContext): Promise<number> {
  const { flags, api } = context;
  const last = flags.bool('latest') && !flags.given('last') ? 1 : flags.int('last') ?? -1;
  const format = flags.string('format') || (flags.bool('quiet') ? '' : context.config.formats['psFormat'] ?? '');
  const size = flags.bool('size') || /\.Size\b/.test(format);
  const query = { all: flags.bool('all') || undefined, limit: last > 0 ? last : undefined, size: size || undefined, filters: filterQuery(flags.list('filter')) };
  const containers = await api.get<ContainerSummary[]>('/containers/json', query);
  const truncate = !flags.bool('no-trunc');
  const rows = containers.map((summary) => containerRow(summary, context.ports.clock.now(), truncate));
  const columns = '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}';
  await context.print(formatRows(rows, {
    format, titles, quiet: flags.bool('quiet') ? '{{.ID}}' : null, defaultTable: flags.bool('size') ? `${columns}\t{{.Size}}` : columns,
  }));
  return 0;
}

export const containerListCommand: Command = {
  path: ['container', 'ls'], aliases: [['container', 'list'], ['container', 'ps'], ['ps']], usage: '', summary: 'List containers', common: true, args: noArguments,
  flags: [
    { name: 'all', short: 'a', kind: 'bool', help: 'Show all containers, not only running ones' },
    { ...filterFlag, complete: ['id=', 'name=', 'label=', 'status=', 'ancestor=', 'exited=', 'health=', 'network=', 'volume=', 'publish=', 'expose=', 'before=', 'since='] },
    listFormatFlag,
    { name: 'last', short: 'n', kind: 'int', help: 'Show the last n containers in any state', default: '-1' },
    { name: 'latest', short: 'l', kind: 'bool', help: 'Show the last container in any state' },
    noTruncFlag, quietFlag('container IDs'),
    { name: 'size', short: 's', kind: 'bool', help: 'Show sizes' },
  ],
  run: listContainers,
};
