import { formatRows, humanSize, humanSizeWithPrecision, shortId, timeAgo, type Row } from '../../format/index.ts';
import { CliError } from '../cli-error.ts';
import { between, type Command, type CommandContext } from '../command.ts';
import { filterQuery } from '../output/filters.ts';
import { splitImageName } from '../output/image-name.ts';
import { goTimeText } from '../output/time-text.ts';
import { filterFlag, listFormatFlag, noTruncFlag, quietFlag } from './shared-flags.ts';

export interface ImageSummary {
  readonly Id: string;
  readonly RepoTags?: readonly string[] | null;
  readonly RepoDigests?: readonly string[] | null;
  /** Seconds since the epoch. */
  readonly Created: number;
  readonly Size: number;
  readonly SharedSize?: number;
  readonly Containers?: number;
}

const titles = {
  Repository: 'REPOSITORY', Tag: 'TAG', Digest: 'DIGEST', ID: 'IMAGE ID', CreatedSince: 'CREATED', CreatedAt: 'CREATED AT', Size: 'SIZE',
  Containers: 'CONTAINERS', VirtualSize: 'SIZE', SharedSize: 'SHARED SIZE', UniqueSize: 'UNIQUE SIZE',
};

const none = '<none>';

/** One row for each name of an image; digests that no tag covers get their own. */
export function imageRows(image: ImageSummary, nowMs: number, options: { truncate: boolean; digests: boolean }): Row[] {
  const row = (repository: string, tag: string, digest: string): Row => ({
    Repository: repository, Tag: tag, Digest: digest,
    ID: options.truncate ? shortId(image.Id) : image.Id,
    CreatedSince: image.Created > 0 ? timeAgo(image.Created * 1000, nowMs) : 'N/A', CreatedAt: image.Created > 0 ? goTimeText(image.Created * 1000) : 'N/A',
    Size: humanSizeWithPrecision(image.Size, 3), VirtualSize: humanSize(image.Size),
    Containers: image.Containers === undefined || image.Containers < 0 ? 'N/A' : String(image.Containers),
    SharedSize: image.SharedSize === undefined || image.SharedSize < 0 ? 'N/A' : humanSizeWithPrecision(image.SharedSize, 3),
    UniqueSize: image.SharedSize === undefined || image.SharedSize < 0 ? 'N/A' : humanSizeWithPrecision(image.Size - image.SharedSize, 3),
  });
  const tags = (image.RepoTags ?? []).filter((name) => name !== '<none>:<none>').map(splitImageName);
  const digests = (image.RepoDigests ?? []).filter((name) => name !== '<none>@<none>').map(splitImageName);
  if (tags.length === 0 && digests.length === 0) return [row(none, none, none)];
  const repositories = [...new Set([...tags, ...digests].map(({ repository }) => repository))];
  return repositories.flatMap((repository) => {
    const own = tags.filter((name) => name.repository === repository);
    const ownDigests = digests.filter((name) => name.repository === repository);
    if (own.length === 0) return options.digests ? ownDigests.map(({ digest }) => row(repository, none, digest)) : [row(repository, none, none)];
    if (!options.digests) return own.map(({ tag }) => row(repository, tag, none));
    return own.flatMap(({ tag }) => (ownDigests.length === 0 ? [row(repository, tag, none)] : ownDigests.map(({ digest }) => row(repository, tag, digest))));
  });
}

async function listImages(context: CommandContext): Promise<number> {
  const { api, flags, args } = context;
  const filters = [...flags.list('filter'), ...(args[0] === undefined ? [] : [`reference=${args[0]}`])];
  const images = await api.get<ImageSummary[]>('/images/json', { all: flags.bool('all') || undefined, filters: filterQuery(filters) });
  const quiet = flags.bool('quiet');
  const format = flags.string('format') || (quiet ? '' : context.config.formats['imagesFormat'] ?? '');
  const digests = flags.bool('digests') || /\.Digest\b/.test(format);
  const rows = images.flatMap((image) => imageRows(image, context.ports.clock.now(), { truncate: !flags.bool('no-trunc'), digests }));
  await context.print(formatRows(rows, {
    format, titles, quiet: quiet ? '{{.ID}}' : null,
    defaultTable: `{{.Repository}}\t{{.Tag}}\t${flags.bool('digests') ? '{{.Digest}}\t' : ''}{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`,
  }));
  return 0;
}

export const imageListCommand: Command = {
  path: ['image', 'ls'], aliases: [['image', 'list'], ['images']], usage: '[REPOSITORY[:TAG]]', summary: 'List images', common: true, args: between(0, 1), completeArgs: 'image',
  flags: [
    { name: 'all', short: 'a', kind: 'bool', help: 'Show intermediate images too' },
    { name: 'digests', kind: 'bool', help: 'Show digests' },
    { ...filterFlag, complete: ['before=', 'dangling=', 'label=', 'reference=', 'since='] },
    listFormatFlag, noTruncFlag, quietFlag('image IDs'),
    { name: 'tree', kind: 'bool', help: 'List platforms as a tree', hidden: true },
  ],
  run(context) {
    if (context.flags.bool('tree')) throw new CliError('--tree is not supported: images here hold one platform each');
    return listImages(context);
  },
};
