import { formatRows } from '../../format/index.ts';
import { exactly, type Command } from '../command.ts';
import { registryAuthHeader } from '../credentials.ts';
import { filterQuery } from '../output/filters.ts';
import { filterFlag, listFormatFlag, noTruncFlag } from './shared-flags.ts';

interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly star_count: number;
  readonly is_official: boolean;
  readonly is_automated: boolean;
}

const DESCRIPTION_LIMIT = 45;

function shortened(description: string, truncate: boolean): string {
  const line = description.replaceAll(/[\r\n]/g, ' ');
  return truncate && [...line].length > DESCRIPTION_LIMIT ? `${[...line].slice(0, DESCRIPTION_LIMIT - 1).join('')}…` : line;
}

export const searchCommand: Command = {
  path: ['search'], usage: 'TERM', summary: 'Search a registry for images', args: exactly(1),
  details: 'HOST/TERM searches that registry, by its search or through the names of its repositories; TERM alone Docker Hub.',
  flags: [
    { ...filterFlag, complete: ['is-automated=', 'is-official=', 'stars='] }, listFormatFlag,
    { name: 'limit', kind: 'int', help: 'How many results at most, 1 to 100' }, noTruncFlag,
  ],
  async run(context) {
    const { api, flags, args: [term = ''] } = context;
    const found = await api.stream('GET', '/images/search', {
      query: { term, limit: flags.int('limit') ?? undefined, filters: filterQuery(flags.list('filter')) },
      headers: await registryAuthHeader(context, term.includes('/') ? term : `library/${term}`),
    });
    const results = JSON.parse(await found.text()) as SearchResult[];
    await context.print(formatRows(
      results.map((result) => ({
        Name: result.name, Description: shortened(result.description, !flags.bool('no-trunc')), StarCount: String(result.star_count), IsOfficial: result.is_official ? '[OK]' : '', IsAutomated: result.is_automated ? '[OK]' : '',
      })),
      { format: flags.string('format'), titles: { Name: 'NAME', Description: 'DESCRIPTION', StarCount: 'STARS', IsOfficial: 'OFFICIAL', IsAutomated: 'AUTOMATED' }, defaultTable: '{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}' },
    ));
    return 0;
  },
};
