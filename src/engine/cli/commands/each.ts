import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../command.ts';

const inParallel = 50;

export interface EachOptions {
  /** Begin many at once, so that one slow container does not hold the others up. What is said keeps the order of the names. */
  readonly parallel?: boolean;
}

/** Does one thing for each name, printing each success; failures are told one by one and make the exit status 1. */
export async function forEachName(context: CommandContext, action: (name: string) => Promise<string | null>, options: EachOptions = {}): Promise<number> {
  const names = context.args;
  const begun: Promise<string | null>[] = [];
  let exitCode = 0;
  for (let at = 0; at < names.length; at++) {
    while (begun.length < Math.min(names.length, at + (options.parallel ? inParallel : 1))) {
      const started = action(names[begun.length] ?? '');
      // Awaited below in the order of the names; until then a failure is not unhandled.
      started.catch(() => undefined);
      begun.push(started);
    }
    try {
      const said = await begun[at];
      if (said !== null && said !== undefined) await context.print(`${said}\n`);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      await context.warn(error.message);
      exitCode = 1;
    }
  }
  return exitCode;
}

/** A name in a path of the API. */
export function inPath(name: string): string {
  if (name.trim() === '') throw new CliError('invalid container name or ID: value is empty');
  return encodeURIComponent(name);
}
