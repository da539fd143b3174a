import { noArguments, type Command } from '../command.ts';
import { bashCompletion } from '../completion/bash-script.ts';

export const completionCommands: readonly Command[] = [{
  path: ['completion', 'bash'], usage: '', summary: 'Write the completion script for bash', flags: [], args: noArguments,
  async run(context) {
    await context.print(bashCompletion(context.program));
    return 0;
  },
}];
