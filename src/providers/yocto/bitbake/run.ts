import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { start } from '../../../exec/index.ts';
import { OsbuildError } from '../../../model/index.ts';
import { bitbakeEnvironment, contained, type BitbakeFolders } from './command.ts';
import { advance, initialState, progressText, readEvent, type BuildState } from './progress.ts';

export interface BitbakeRun {
  folders: BitbakeFolders;
  targets: readonly string[];
  /** Reads recipes and plans only. */
  planOnly?: boolean;
  /** layers/meta-minke/lib/minke/watch.py. */
  watch: string;
  uid: number;
  hostEnvironment: Readonly<Record<string, string>>;
  signal: AbortSignal;
  log(line: string): void;
  progress(done: number, total: number | null, unit: 'items', detail?: string): void;
  notice(level: 'info' | 'warning', code: string, message: string, hint?: string): void;
}

/** Time for bitbake to stop its tasks before its namespace is ended with everything in it. */
const stopTimeoutMs = 30_000;
const shownLogLines = 40;
const shownWarnings = 20;
const shownItems = 3;

/**
 * Runs bitbake and follows it. Returns what was seen. Throws OSB_CANCELLED, OSB_DISK_FULL or OSB_BITBAKE_FAILED with the
 * failed tasks; their logs' ends are in the step's log. Nothing of bitbake runs any more when it returns or throws.
 */
export async function runBitbake(options: BitbakeRun): Promise<BuildState> {
  const { folders, signal, log } = options;
  signal.throwIfAborted();
  const argv = contained(['sh', '-c', 'cd "$0" && exec "$@"', folders.build, 'python3', options.watch, ...(options.planOnly === true ? ['--plan'] : []), ...options.targets], options.uid);
  log(`$ bitbake ${options.planOnly === true ? '-g ' : ''}${options.targets.join(' ')}  # in ${folders.build}`);
  const child = start(argv, { env: bitbakeEnvironment(folders, options.hostEnvironment), stdio: 'pipe' });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error('bitbake was started without pipes');
  let state = initialState;
  let killTimer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    stdin.end();
    killTimer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  };
  stdin.on('error', () => undefined);
  signal.addEventListener('abort', stop, { once: true });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, killed) => resolve(code === null ? `signal ${killed}` : `exit status ${code}`));
  });
  const lines = createInterface({ input: stdout });
  lines.on('line', (line) => {
    const event = readEvent(line);
    if (event === null) return log(line);
    state = advance(state, event);
    if (event.event === 'tasks' || event.event === 'parse' || event.event === 'task-start' || event.event === 'task-end') options.progress(state.done, state.total, 'items', progressText(state));
    if (event.event === 'task-start') log(`started  ${event.recipe} ${event.task}`);
    if (event.event === 'task-end') log(`${event.ok ? 'finished' : 'FAILED  '} ${event.recipe} ${event.task}`);
    if (event.event === 'log') {
      log(`${event.level}: ${event.text}`);
      if (event.level === 'warning' && state.warnings <= shownWarnings) options.notice('warning', 'BITBAKE_WARNING', event.text);
    }
    if (event.event === 'no-provider') log(event.text);
  });
  createInterface({ input: stderr }).on('line', log);
  try {
    const how = await ended;
    if (signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled');
    if (state.end === 'ok' && how === 'exit status 0') return state;
    throw await failure(state, how, options);
  } finally {
    clearTimeout(killTimer);
    signal.removeEventListener('abort', stop);
  }
}

async function failure(state: BuildState, how: string, { log, folders }: BitbakeRun): Promise<OsbuildError> {
  for (const { recipe, task, log: file } of state.failures) {
    if (file === null) continue;
    const text = await readFile(file, 'utf8').catch(() => '');
    log(`the end of ${file} (${recipe} ${task}):`);
    for (const line of text.trimEnd().split('\n').slice(-shownLogLines)) log(`    ${line}`);
  }
  const texts = [...state.errors, ...(await logTexts(state))].join('\n');
  if (state.end === 'disk-full' || /No space left on device/.test(texts)) {
    return new OsbuildError('OSB_DISK_FULL', 'bitbake ran out of disk space', { hint: `free space on the disk of ${join(folders.build, '..')}, or set OSBUILD_CACHE_DIR; the next run goes on from here` });
  }
  if (state.end === 'server-gone') {
    return new OsbuildError('OSB_BITBAKE_FAILED', 'the bitbake server ended in mid-build: something killed it', { hint: 'not enough memory, perhaps: the kernel log tells. The next run goes on from what is finished' });
  }
  const [first] = state.failures;
  if (first !== undefined) {
    const others = state.failures.length > 1 ? `, and ${state.failures.length - 1} more` : '';
    return new OsbuildError('OSB_BITBAKE_FAILED', `bitbake: ${first.task} of ${first.recipe} failed${others}`, {
      hint: first.log === null ? undefined : `its log: ${first.log}`,
      details: { failures: state.failures },
    });
  }
  const [error] = state.errors;
  if (error !== undefined) return new OsbuildError('OSB_BITBAKE_FAILED', `bitbake: ${headline(error)}`, { details: { errors: state.errors } });
  return new OsbuildError('OSB_BITBAKE_FAILED', `bitbake ended with ${how} before the build was over`, { hint: 'the log of this step has its last words; the next run goes on from what is finished' });
}

/** The first line of a text, with what follows where that only announces it. */
function headline(text: string): string {
  // The sanity checker says at length that it has found something before it says what.
  const [first = '', ...others] = text.replace(/^OE-core's config sanity checker[\s\S]*?advisories:/, 'not as openembedded-core wants it:').split('\n').map((line) => line.trim()).filter(Boolean);
  return first.endsWith(':') ? [first, others.slice(0, shownItems).join(', ')].join(' ') : first;
}

async function logTexts({ failures }: BuildState): Promise<string[]> {
  return Promise.all(failures.map(({ log }) => (log === null ? '' : readFile(log, 'utf8').catch(() => ''))));
}
