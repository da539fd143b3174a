import { spawn, type ChildProcess } from 'node:child_process';

/** A program that was started and goes on by itself. */
export type StartedProgram = ChildProcess;

/** Starts a program that runs for long, such as an emulator: with pipes, or on the caller's terminal. The caller ends it. */
export function start(argv: readonly string[], options: { env: Record<string, string>; stdio: 'pipe' | 'inherit' }): StartedProgram {
  const [program, ...rest] = argv;
  if (program === undefined) throw new Error('an empty command');
  return spawn(program, rest, { env: options.env, stdio: options.stdio });
}
