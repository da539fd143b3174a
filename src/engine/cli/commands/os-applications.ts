import { devicePlaces as places } from '../../compose/places.ts';
import { atLeast, type Command } from '../command.ts';

export const osApplicationsCommand: Command = {
  path: ['os', 'applications'],
  usage: 'status | start [SERVICE...] | stop [SERVICE...] | restart [SERVICE...] | apply | check [FILE] | remove',
  summary: 'Show, start, stop or apply the applications of this device: its compose file',
  details:
    `The file is compose.yaml in ${places.sources.join(' or ')}; the first one that there is counts. What is stopped stays stopped until it is started, after a restart of the system too. `
    + 'apply reads the file again and asks anew for images that `pull_policy: always` names. check names what is wrong in it, or in FILE, and the images that it wants. remove takes everything down but volumes, when the file has gone.',
  flags: [{ name: 'format', short: 'f', kind: 'string', help: '"json" for programs' }],
  args: atLeast(1),
  run: async (context) => (await import('./os-applications-run.ts')).runApplications(context),
};
