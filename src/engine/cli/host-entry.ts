import { createHostPorts } from './host-ports.ts';
import { runProgram } from './program.ts';

/** Runs the command line of this process, argv[0] (the name it was called by) included, and gives its exit status. */
export async function runCli(argv: readonly string[]): Promise<number> {
  return runProgram(argv, createHostPorts());
}
