import { atLeast, type Command } from '../command.ts';

export const osConfigCommand: Command = {
  path: ['os', 'config'],
  usage: 'get [KEY] | set KEY VALUE | unset KEY | check [FILE] | apply',
  summary: 'Show, change, check or apply config.json of this device',
  details:
    'get shows what counts now. set and unset change the file on the boot partition, and apply it; VALUE is text, or JSON for anything else. check names what is wrong in it, or in FILE. '
    + 'apply is done at every start and after every change of the file: services that a change concerns are told, others are left alone.',
  flags: [],
  args: atLeast(1),
  interspersed: false,
  run: async (context) => (await import('./os-config-run.ts')).runConfig(context),
};
