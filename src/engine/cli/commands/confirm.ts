import type { CommandContext } from '../command.ts';

/** Asks before something is lost, unless --force was given. The end of input means no. */
export async function confirm(context: CommandContext, warning: string): Promise<boolean> {
  if (context.flags.bool('force')) return true;
  await context.print(`${warning}\nAre you sure you want to continue? [y/N] `);
  let answer = '';
  while (!answer.includes('\n')) {
    const chunk = await context.ports.stdin.read();
    if (chunk === null) break;
    answer += context.ports.codec.decode(chunk);
  }
  return /^y(es)?\s*$/i.test(answer.trim());
}
