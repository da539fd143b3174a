import { EngineError } from '../error.ts';
import { CliError } from './cli-error.ts';

/** Runs what the daemon has no part in; failures of the engine's own code are shown with their hints. */
export async function withHints(run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new CliError(`${error.message}${error.hint === undefined ? '' : `\n  hint: ${error.hint}`}`, 1, { cause: error });
  }
}
