import { noArguments, type Command } from '../command.ts';
import { showProgress } from '../output/progress.ts';

export const checkCommand: Command = {
  path: ['system', 'check'], usage: '', summary: 'Compare all layers and images with their hashes', args: noArguments,
  flags: [
    { name: 'quick', kind: 'bool', help: 'Read no files: only look whether everything is there' },
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Show nothing but an error' },
    { name: 'repair', kind: 'bool', help: 'Remove what is damaged or belongs to nothing; images that were have to be pulled again' },
  ],
  async run({ api, flags, ports }) {
    const values = api.values('POST', '/system/check', { query: { quick: flags.bool('quick') || undefined, repair: flags.bool('repair') || undefined } });
    await showProgress(ports, values, ports.stdout, flags.bool('quiet'));
    return 0;
  },
};
