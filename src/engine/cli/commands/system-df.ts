import { formatRows, humanSize, humanSizeWithPrecision, type Row } from '../../format/index.ts';
import { CliError } from '../cli-error.ts';
import { noArguments, type Command, type CommandContext } from '../command.ts';
import { containerRow } from './container-list.ts';
import { imageRows, type ImageSummary } from './image-list.ts';
import { listFormatFlag } from './shared-flags.ts';
import type { Volume } from './volumes.ts';

interface DiskUsage {
  readonly LayersSize?: number;
  readonly Images?: ImageSummary[] | null;
  readonly Containers?: Array<Parameters<typeof containerRow>[0]> | null;
  readonly Volumes?: Volume[] | null;
  readonly BuildCache?: Array<{ readonly Size: number; readonly InUse: boolean; readonly Shared: boolean }> | null;
}

const titles = { Type: 'TYPE', TotalCount: 'TOTAL', Active: 'ACTIVE', Size: 'SIZE', Reclaimable: 'RECLAIMABLE' };

function sum<T>(items: readonly T[], size: (item: T) => number): number {
  return items.reduce((total, item) => total + Math.max(0, size(item)), 0);
}

function row(type: string, count: number, active: number, sizeBytes: number, reclaimableBytes: number): Row {
  const share = sizeBytes > 0 ? ` (${Math.trunc(reclaimableBytes * 100 / sizeBytes)}%)` : '';
  return { Type: type, TotalCount: String(count), Active: String(active), Size: humanSize(sizeBytes), Reclaimable: `${humanSize(reclaimableBytes)}${share}` };
}

/** The four lines of `system df`. */
export function usageRows(usage: DiskUsage): Row[] {
  const images = usage.Images ?? [];
  const containers = usage.Containers ?? [];
  const volumes = usage.Volumes ?? [];
  const cache = usage.BuildCache ?? [];
  const usedImages = images.filter((image) => (image.Containers ?? 0) > 0);
  const layers = usage.LayersSize ?? 0;
  const usedBytes = sum(usedImages, (image) => image.Size - Math.max(0, image.SharedSize ?? 0));
  const running = containers.filter((container) => ['running', 'paused', 'restarting'].includes(container.State));
  const usedVolumes = volumes.filter((volume) => (volume.UsageData?.RefCount ?? 0) > 0);
  const volumeSize = (list: readonly Volume[]) => sum(list, (volume) => volume.UsageData?.Size ?? 0);
  const containerSize = (list: typeof containers) => sum(list, (container) => container.SizeRw ?? 0);
  return [
    row('Images', images.length, usedImages.length, layers, Math.max(0, layers - usedBytes)),
    row('Containers', containers.length, running.length, containerSize(containers), containerSize(containers) - containerSize(running)),
    row('Local Volumes', volumes.length, usedVolumes.length, volumeSize(volumes), volumeSize(volumes) - volumeSize(usedVolumes)),
    row('Build Cache', cache.length, cache.filter((entry) => entry.InUse).length, sum(cache, (entry) => (entry.Shared ? 0 : entry.Size)), sum(cache.filter((entry) => !entry.InUse), (entry) => (entry.Shared ? 0 : entry.Size))),
  ];
}

async function detailed(context: CommandContext, usage: DiskUsage): Promise<void> {
  const now = context.ports.clock.now();
  const images = (usage.Images ?? []).flatMap((image) => imageRows(image, now, { truncate: true, digests: false }));
  const table = (title: string, rows: readonly Row[], columns: Readonly<Record<string, string>>) =>
    `${title} space usage:\n\n${formatRows(rows, { format: 'table', titles: columns, defaultTable: Object.keys(columns).map((field) => `{{.${field}}}`).join('\t') })}\n`;
  await context.print(table('Images', images, { Repository: 'REPOSITORY', Tag: 'TAG', ID: 'IMAGE ID', CreatedSince: 'CREATED', Size: 'SIZE', SharedSize: 'SHARED SIZE', UniqueSize: 'UNIQUE SIZE', Containers: 'CONTAINERS' }));
  const containers = (usage.Containers ?? []).map((container) => ({ ...containerRow(container, now, true), Size: humanSizeWithPrecision(container.SizeRw ?? 0, 3) }));
  await context.print(table('Containers', containers, { ID: 'CONTAINER ID', Image: 'IMAGE', Command: 'COMMAND', LocalVolumes: 'LOCAL VOLUMES', Size: 'SIZE', RunningFor: 'CREATED', Status: 'STATUS', Names: 'NAMES' }));
  const volumes = (usage.Volumes ?? []).map((volume) => ({ Name: volume.Name, Links: String(volume.UsageData?.RefCount ?? 'N/A'), Size: humanSize(volume.UsageData?.Size ?? 0) }));
  await context.print(table('Local Volumes', volumes, { Name: 'VOLUME NAME', Links: 'LINKS', Size: 'SIZE' }));
}

export const diskUsageCommand: Command = {
  path: ['system', 'df'], usage: '', summary: 'Show what takes up disk space', args: noArguments,
  flags: [listFormatFlag, { name: 'verbose', short: 'v', kind: 'bool', help: 'Show each image, container and volume' }],
  async run(context) {
    const { api, flags } = context;
    if (flags.bool('verbose') && flags.given('format')) throw new CliError('the verbose and the format options conflict');
    const usage = await api.get<DiskUsage>('/system/df');
    if (flags.bool('verbose')) await detailed(context, usage);
    else await context.print(formatRows(usageRows(usage), { format: flags.string('format'), titles, defaultTable: '{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}' }));
    return 0;
  },
};
