import { execa, type Options } from 'execa';

import { OsbuildError } from '../model/index.ts';
import { shellLine } from './shell.ts';

export interface RunOptions {
  cwd?: string;
  env: Record<string, string>;
  /** Host file fed to standard input; otherwise it is empty. */
  stdin?: string | undefined;
  /** Host file that takes standard output; otherwise output is logged and returned. */
  stdout?: string | undefined;
  signal: AbortSignal;
  log(line: string): void;
  /** What a person pastes to run it again, where that is not the command itself. */
  paste?: string;
}

/** A long output is in the log whole; callers that parse output read from its end at most this much. */
const keptOutputBytes = 64 * 1024 * 1024;

/** Time for a program to end by itself after SIGTERM, before SIGKILL. */
const killDelayMs = 3000;

/**
 * Runs a program to its end and returns what it printed to standard output.
 * Throws OSB_CANCELLED when the signal fired, OSB_HOST_UNFIT when the program is not installed, OSB_COMMAND_FAILED otherwise.
 */
export async function run(argv: readonly string[], options: RunOptions): Promise<string> {
  const paste = options.paste ?? shellLine(argv);
  options.log(`$ ${paste}`);
  const [program, ...rest] = argv;
  if (program === undefined) throw new Error('an empty command');
  const settings = {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env,
    extendEnv: false,
    cancelSignal: options.signal,
    forceKillAfterDelay: killDelayMs,
    reject: false,
    maxBuffer: keptOutputBytes,
    stripFinalNewline: false,
    stdin: options.stdin === undefined ? 'ignore' : { file: options.stdin },
    stdout: options.stdout === undefined ? 'pipe' : { file: options.stdout },
  } satisfies Options;
  const child = execa(program, rest, { ...settings, buffer: { stdout: options.stdout === undefined, stderr: true } });
  if (options.stdout === undefined) logLines(child.stdout, options.log);
  logLines(child.stderr, options.log);

  const result = await child;
  if (result.isCanceled || options.signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled');
  if (result.code === 'ENOENT') {
    throw new OsbuildError('OSB_HOST_UNFIT', `the program ${program} is not installed`, { hint: 'run `osbuild doctor` to see what this host lacks' });
  }
  if (result.failed) {
    const how = result.signal === undefined ? `exit status ${result.exitCode}` : `signal ${result.signal}`;
    throw commandFailed(argv, how, paste, String(result.stderr ?? ''));
  }
  return typeof result.stdout === 'string' ? result.stdout : '';
}

/** Standard output of a program as a stream. `done` settles when the program has ended. */
export function stream(argv: readonly string[], options: Omit<RunOptions, 'stdin' | 'stdout'>): { stdout: NodeJS.ReadableStream; done: Promise<void> } {
  const [program, ...rest] = argv;
  if (program === undefined) throw new Error('an empty command');
  const child = execa(program, rest, {
    env: options.env,
    extendEnv: false,
    cancelSignal: options.signal,
    forceKillAfterDelay: killDelayMs,
    reject: false,
    stdin: 'ignore',
    buffer: { stdout: false, stderr: true },
  });
  const done = child.then((result) => {
    if (result.isCanceled || options.signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled');
    if (!result.failed) return;
    options.log(`$ ${shellLine(argv)}`);
    for (const line of String(result.stderr ?? '').split('\n')) options.log(line);
    throw commandFailed(argv, `exit status ${result.exitCode ?? result.code}`, shellLine(argv), String(result.stderr ?? ''));
  });
  done.catch(() => undefined); // whoever reads the stream awaits it too
  return { stdout: child.stdout, done };
}

function commandFailed(argv: readonly string[], how: string, paste: string, stderr: string): OsbuildError {
  if (/No space left on device/.test(stderr)) {
    return new OsbuildError('OSB_DISK_FULL', `${argv[0]} ran out of disk space`, {
      hint: 'free space, run `osbuild cache prune`, or set OSBUILD_CACHE_DIR to a folder on another disk; the next run continues from here',
      details: { argv, paste },
    });
  }
  const last = stderr.trimEnd().split('\n').at(-1)?.trim() ?? '';
  return new OsbuildError('OSB_COMMAND_FAILED', `${argv[0]} failed with ${how}${last ? `: ${last}` : ''}`, { details: { argv, paste } });
}

function logLines(source: NodeJS.ReadableStream | null, log: (line: string) => void): void {
  if (!source) return;
  let rest = '';
  source.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('utf8')).split(/\r\n|\n|\r/);
    rest = lines.pop() ?? '';
    for (const line of lines) log(line);
  });
  source.on('end', () => {
    if (rest) log(rest);
  });
}
