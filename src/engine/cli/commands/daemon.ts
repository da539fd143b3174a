import { CliError } from '../cli-error.ts';
import { atLeast, type Command } from '../command.ts';

/** Only for help and for mistakes: the binary takes "daemon" as its first word before the command line is asked. */
export const daemonCommand: Command = {
  path: ['daemon'], usage: '[OPTIONS]', summary: 'Run the engine itself', flags: [], args: atLeast(0), interspersed: false,
  async run({ program }) {
    throw new CliError(`"daemon" must be the first word: ${program} daemon [OPTIONS]`);
  },
};
