import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';

/** Machines named in the environment, else these. */
export const machinesOf = (variable: string, otherwise: string): string[] => (process.env[variable] ?? otherwise).split(',').filter(Boolean);

/** Each check of `osbuild test` as a test of its own; nothing is expected that the checks' own names do not say. */
export function describeOutcome(name: string, checks: readonly string[], run: () => Promise<Outcome>, skipped: boolean): void {
  describe.skipIf(skipped)(name, () => {
    let outcome: Outcome | undefined;

    beforeAll(async () => void (outcome = await run()), limitMs);

    test.each(checks)('%s', (check) => expectPassed(outcome, check));

    test('osbuild test says what became of it by its exit status', () => expectExitCode(outcome));
  });
}

export const home = fileURLToPath(new URL('../..', import.meta.url));
/** Whether boards are started at all. */
export const wanted = process.env['OSBUILD_TEST_IMAGES'] === '1';
export const whySkipped = wanted ? '' : ' (needs OSBUILD_TEST_IMAGES=1, as `npm test` without words sets it)';

/**
 * Whether one of the files here runs, and what its title says where it does not. OSBUILD_TEST_BOOTS=NAME,… leaves out all others: a run that has to end
 * within the hour starts three boards, the nightly one all of them.
 */
export function boots(name: string): { skipped: boolean; why: string } {
  const chosen = process.env['OSBUILD_TEST_BOOTS']?.split(',');
  if (!wanted || chosen === undefined || chosen.includes(name)) return { skipped: !wanted, why: whySkipped };
  return { skipped: true, why: ` (OSBUILD_TEST_BOOTS leaves ${name} out, to end within the hour; .ci/nightly runs it)` };
}

/** Three boots of a board that is emulated without hardware support, on a busy machine. */
export const limitMs = 90 * 60_000;

interface CheckEvent {
  type: 'check';
  name: string;
  outcome: 'passed' | 'failed' | 'skipped';
  detail?: string;
}

export interface Outcome {
  checks: Map<string, CheckEvent>;
  exitCode: number | null;
  errors: string;
}

/** `osbuild test` with these words builds what is not in the cache, and takes results of the same image from there. */
export async function osbuildTest(...words: string[]): Promise<Outcome> {
  const child = spawn(`${home}/osbuild`, ['test', ...words, '--json'], { cwd: home, stdio: ['ignore', 'pipe', 'pipe'] });
  const checks = new Map<string, CheckEvent>();
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString('utf8')).slice(-4000)));
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{')) continue;
    const event = JSON.parse(line) as { type: string };
    if (event.type === 'check') checks.set((event as CheckEvent).name, event as CheckEvent);
    else if (event.type === 'error' || event.type === 'task-failed') errors += `${line}\n`;
  }
  return { checks, exitCode: await exited, errors };
}

function expectPassed(outcome: Outcome | undefined, check: string): void {
  const found = outcome?.checks.get(check);
  if (!found) throw new Error(`no result; osbuild test ended with exit status ${outcome?.exitCode}: ${outcome?.errors ?? ''}`);
  expect(found.outcome, found.detail).toBe('passed');
}

function expectExitCode(outcome: Outcome | undefined): void {
  const failed = [...(outcome?.checks.values() ?? [])].some((check) => check.outcome === 'failed');
  expect(outcome?.exitCode).toBe(failed ? 1 : 0);
}
