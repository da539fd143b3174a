import { noArguments, type Command } from '../command.ts';
import { bashCompletion } from '../completion/bash-script.ts';
import { fishCompletion } from '../completion/fish-script.ts';
import { zshCompletion } from '../completion/zsh-script.ts';

const scripts = { bash: bashCompletion, fish: fishCompletion, zsh: zshCompletion };

export const completionCommands: readonly Command[] = Object.entries(scripts).map(([shell, script]) => ({
  path: ['completion', shell], usage: '', summary: `Write the completion script for ${shell}`, flags: [], args: noArguments,
  async run(context) {
    await context.print(script(context.program));
    return 0;
  },
}));
