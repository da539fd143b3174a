import { argv } from 'host:process';
import { createHostPorts } from './host-ports.ts';
import { runProgram } from './program.ts';

/** Runs the command line of this process; `words` are those after the name it was called by. Gives the exit status. */
export async function runCli(words: readonly string[]): Promise<number> {
  return runProgram([argv[0] ?? 'minke', ...words], createHostPorts());
}
