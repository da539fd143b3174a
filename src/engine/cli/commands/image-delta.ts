import { exactly, type Command } from '../command.ts';
import { showProgress } from '../output/progress.ts';

export const deltaCommand: Command = {
  path: ['image', 'delta'], aliases: [], usage: 'SOURCE_IMAGE TARGET_IMAGE', summary: 'Make a delta that turns one image into another', args: exactly(2), completeArgs: 'image',
  flags: [
    { name: 'tag', short: 't', kind: 'list', help: 'Name of the delta; without a tag it gets the one by which pulls find it' },
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Show no progress' },
  ],
  async run({ api, flags, ports, args: [source = '', target = ''] }) {
    const values = api.values('POST', '/images/delta', { query: { src: source, dest: target, t: flags.list('tag') } });
    await showProgress(ports, values, ports.stdout, flags.bool('quiet'));
    return 0;
  },
};
