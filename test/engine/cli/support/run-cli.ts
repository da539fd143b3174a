import { runProgram } from '../../../../src/engine/cli/program.ts';
import { fakeTerminal, type FakeTerminalOptions } from './node-ports.ts';
import type { CommandResult } from './docker-cli.ts';

/** Runs our command line in this process, called as `docker` unless told otherwise. */
export async function runOurCli(args: readonly string[], host: string, options: FakeTerminalOptions & { readonly program?: string } = {}): Promise<CommandResult & { readonly rawChanges: boolean[] }> {
  const terminal = fakeTerminal({ ...options, environment: { HOME: '/nonexistent', ...options.environment, DOCKER_HOST: host, DOCKER_CONFIG: '/nonexistent' } });
  const code = await runProgram([options.program ?? 'docker', ...args], terminal.ports);
  return { code, stdout: terminal.stdout(), stderr: terminal.stderr(), rawChanges: terminal.rawChanges };
}
