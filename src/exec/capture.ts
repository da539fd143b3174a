import { execa } from 'execa';

import { OsbuildError } from '../model/index.ts';

/** How a program ended that was let run to its end. */
export interface Captured {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs a program whose failure the caller wants to read: resolves whatever the exit status is.
 * Throws OSB_CANCELLED when the signal fired, OSB_HOST_UNFIT when the program is not installed.
 */
export async function capture(argv: readonly string[], options: { env: Record<string, string>; signal?: AbortSignal }): Promise<Captured> {
  const [program, ...rest] = argv;
  if (program === undefined) throw new Error('an empty command');
  const result = await execa(program, rest, {
    env: options.env,
    extendEnv: false,
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    reject: false,
    stripFinalNewline: false,
    stdin: 'ignore',
  });
  if (result.isCanceled || options.signal?.aborted === true) throw new OsbuildError('OSB_CANCELLED', 'cancelled');
  if (result.code === 'ENOENT') {
    throw new OsbuildError('OSB_HOST_UNFIT', `the program ${program} is not installed`, { hint: 'run `osbuild doctor` to see what this host lacks' });
  }
  return { exitCode: result.exitCode ?? 1, stdout: result.stdout, stderr: result.stderr };
}
