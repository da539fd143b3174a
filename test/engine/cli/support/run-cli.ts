import { existsSync } from 'node:fs';
import { runProgram } from '../../../../src/engine/cli/program.ts';
import { emptyHome } from './empty-home.ts';
import { runClient, type CommandResult } from './docker-cli.ts';
import { fakeTerminal, type FakeTerminalOptions } from './node-ports.ts';

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  readonly stdin?: string;
  /** What the clock says; the binary has only the real one. */
  readonly nowMs?: number;
  /** The name it is called by; `docker` unless told otherwise. */
  readonly program?: string;
}

export type CliRunner = (args: readonly string[], host: string, options?: RunOptions) => Promise<CommandResult>;

/** Runs our command line in this process, on the Node implementation of its ports. */
export async function runOurCli(args: readonly string[], host: string, options: Omit<FakeTerminalOptions, 'stdin'> & RunOptions & { readonly input?: FakeTerminalOptions['stdin'] } = {}): Promise<CommandResult & { readonly rawChanges: boolean[] }> {
  const { stdin, input, program, ...rest } = options;
  const terminal = fakeTerminal({
    ...rest, stdin: input ?? (stdin === undefined ? [] : [stdin]), environment: { HOME: emptyHome, ...options.environment, DOCKER_HOST: host, DOCKER_CONFIG: emptyHome },
  });
  const code = await runProgram([program ?? 'docker', ...args], terminal.ports);
  return { code, stdout: terminal.stdout(), stderr: terminal.stderr(), rawChanges: terminal.rawChanges };
}

/** The engine's binary of this machine, built beforehand, or null. */
export const engineBinary = ((path: string | undefined) => (path !== undefined && existsSync(path) ? path : null))(process.env['OSBUILD_ENGINE_BINARY']);

/** Runs the binary itself. */
export function runBinary(args: readonly string[], host: string, options: RunOptions = {}): Promise<CommandResult> {
  const { program, nowMs: _ignored, ...rest } = options;
  return runClient(engineBinary ?? '', args, host, { ...rest, argv0: program ?? 'docker' });
}

/** Our command line in every shape there is: in this process, and as the binary when one is named. */
export const runners: ReadonlyArray<readonly [string, CliRunner]> = [
  ['in this process', runOurCli], ...(engineBinary === null ? [] : [['as the binary', runBinary] as const]),
];
