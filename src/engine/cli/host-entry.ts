import { argv } from 'host:process';
import { createHostPorts } from './host-ports.ts';
import { runProgram } from './program.ts';

/** Runs the command line of this process; `words` are the arguments after the program's name. */
export async function runCli(words: readonly string[]): Promise<number> {
  return runProgram([argv[0] ?? 'minke', ...words], createHostPorts());
}
