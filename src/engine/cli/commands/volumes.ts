import { formatRows } from '../../format/index.ts';
import { CliError } from '../cli-error.ts';
import { atLeast, between, noArguments, type Command } from '../command.ts';
import { keyValueMap } from '../create/environment.ts';
import { filterQuery } from '../output/filters.ts';
import { forEachName, inPath } from './each.ts';
import { filterFlag, listFormatFlag, quietFlag } from './shared-flags.ts';

export interface Volume {
  readonly Name: string;
  readonly Driver: string;
  readonly Mountpoint: string;
  readonly Scope: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly UsageData?: { readonly Size: number; readonly RefCount: number } | null;
}

const titles = {
  Name: 'VOLUME NAME', Driver: 'DRIVER', Scope: 'SCOPE', Mountpoint: 'MOUNTPOINT', Labels: 'LABELS', Links: 'LINKS', Size: 'SIZE', Availability: 'AVAILABILITY', Group: 'GROUP', Status: 'STATUS',
};

export const volumeListCommand: Command = {
  path: ['volume', 'ls'], aliases: [['volume', 'list']], usage: '', summary: 'List volumes', args: noArguments,
  flags: [{ ...filterFlag, complete: ['dangling=', 'driver=', 'label=', 'name='] }, listFormatFlag, quietFlag('volume names')],
  async run(context) {
    const { api, flags } = context;
    const { Volumes } = await api.get<{ Volumes: Volume[] | null }>('/volumes', { filters: filterQuery(flags.list('filter')) });
    const rows = (Volumes ?? []).toSorted((a, b) => (a.Name < b.Name ? -1 : 1)).map((volume) => ({
      Name: volume.Name, Driver: volume.Driver, Scope: volume.Scope, Mountpoint: volume.Mountpoint,
      Labels: Object.entries(volume.Labels ?? {}).map(([name, value]) => `${name}=${value}`).join(','), Label: (name: unknown) => volume.Labels?.[String(name)] ?? '',
      Links: 'N/A', Size: 'N/A', Availability: 'N/A', Group: 'N/A', Status: 'N/A',
    }));
    const format = flags.string('format') || (flags.bool('quiet') ? '' : context.config.formats['volumesFormat'] ?? '');
    await context.print(formatRows(rows, { format, titles, quiet: flags.bool('quiet') ? '{{.Name}}' : null, defaultTable: '{{.Driver}}\t{{.Name}}' }));
    return 0;
  },
};

export const volumeCreateCommand: Command = {
  path: ['volume', 'create'], usage: '[VOLUME]', summary: 'Create a volume', args: between(0, 1),
  flags: [
    { name: 'driver', short: 'd', kind: 'string', help: 'Driver of the volume', default: 'local' },
    { name: 'label', kind: 'list', help: 'Set a label (key or key=value)' },
    { name: 'name', kind: 'string', help: 'Name of the volume', hidden: true },
    { name: 'opt', short: 'o', kind: 'map', help: 'Option of the driver (key=value)' },
  ],
  async run({ api, flags, args: [given], print }) {
    if (given !== undefined && flags.given('name')) throw new CliError('conflicting options: cannot specify a volume-name through both --name and as a positional arg');
    const { Name } = await api.post<Volume>('/volumes/create', {
      json: { Name: given ?? flags.string('name'), Driver: flags.string('driver'), DriverOpts: keyValueMap(flags.list('opt')), Labels: keyValueMap(flags.list('label')) },
    });
    await print(`${Name}\n`);
    return 0;
  },
};

export const volumeRemoveCommand: Command = {
  path: ['volume', 'rm'], aliases: [['volume', 'remove']], usage: 'VOLUME [VOLUME...]', summary: 'Remove one or more volumes that no container uses', args: atLeast(1), completeArgs: 'volume',
  flags: [{ name: 'force', short: 'f', kind: 'bool', help: 'A missing volume is no failure' }],
  run: (context) => forEachName(context, async (name) => {
    await context.api.delete(`/volumes/${inPath(name)}`, { force: context.flags.bool('force') || undefined });
    return name;
  }),
};
