import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { readEvent } from '../../../src/providers/yocto/bitbake/progress.ts';
import { needBitbake } from './checkouts.ts';
import { names, record, recordingOf, replay, type Followed } from './recordings.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'osbuild-recorded-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const told = (log: string[], word: string): string[] => log.flatMap((line) => (line.startsWith(word) ? line.slice(word.length).trim() : [])).toSorted();

describe('what real bitbake said is followed as it was meant', () => {
  test.each(names)('%s: each line is an event', (name) => {
    const lines = readFileSync(recordingOf(name), 'utf8').trimEnd().split('\n');
    expect(lines.filter((line) => readEvent(line) === null)).toEqual([]);
    expect(readEvent(lines.at(-1) ?? '')).toMatchObject({ event: 'end' });
  });

  test('a build: every task that was started has finished, and all are counted', async () => {
    const { state, error, log, progress } = await replay('built', folder);
    expect(error).toBeNull();
    expect(state).toMatchObject({ phase: 'building', end: 'ok', failures: [], errors: [], parsed: { recipes: 2, skipped: 0 } });
    expect(state?.done).toBe(state?.total);
    expect(told(log, 'started ')).toEqual(told(log, 'finished '));
    expect(told(log, 'started ')).toEqual(expect.arrayContaining(['probe-good do_probe', 'probe-good do_deploy']));
    const counts = progress.filter(({ total, detail }) => total === state?.total && detail !== 'reading recipes').map(({ done }) => done);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(progress.map(({ detail }) => detail)).toEqual(expect.arrayContaining(['reading recipes', expect.stringContaining('probe-good do_probe')]));
  });

  test('a build of what is in shared state: that is taken, not made', async () => {
    const { state, log } = await replay('shared', folder);
    expect(state).toMatchObject({ end: 'ok', failures: [] });
    expect(state?.shared).toBe(state?.sharedTotal);
    expect(log.join('\n')).toMatch(/^plain: Sstate summary: Wanted (\d+) Local \1 Mirrors 0 Missed 0 /m);
    // do_probe itself has nothing that could be shared.
    expect(told(log, 'started ')).not.toContain('probe-good do_deploy');
    expect(told(log, 'started ')).toEqual(expect.arrayContaining(['probe-good do_deploy_setscene', 'probe-good do_probe']));
  });

  test('a build that fails: the task is named, its warning is a notice', async () => {
    const { state, error, log, notices } = await replay('failed', folder);
    expect(state).toBeNull();
    expect(error).toEqual({ code: 'OSB_BITBAKE_FAILED', message: 'bitbake: do_probe of probe-bad failed' });
    expect(told(log, 'FAILED ')).toEqual(['probe-bad do_probe']);
    expect(notices.join('\n')).toContain('this is odd');
  });

  test('a plan: recipes and tasks, and nothing is started', async () => {
    const { state, log } = await replay('planned', folder);
    expect(state).toMatchObject({ end: 'ok', plan: { recipes: { 'probe-good': '1.0-r0' }, tasks: expect.any(Number), kernelFragments: [] } });
    expect(told(log, 'started ')).toEqual([]);
  });

  test('a target that nothing provides, and a configuration that cannot be read', async () => {
    expect((await replay('no-provider', folder)).error).toEqual({ code: 'OSB_BITBAKE_FAILED', message: "bitbake: Nothing PROVIDES 'probe-nothing'" });
    expect((await replay('unreadable', folder)).error).toMatchObject({ code: 'OSB_BITBAKE_FAILED', message: expect.stringContaining('Could not include required file conf/nowhere-to-be-found.inc') });
  });
});

/** What does not depend on which of two tasks was first, nor on how often something was counted. */
const outcome = ({ state, error, log, notices }: Followed) => ({
  state: state === null ? null : { ...state, running: null, parsed: null },
  error,
  started: told(log, 'started '),
  finished: told(log, 'finished '),
  failed: told(log, 'FAILED '),
  notices: notices.toSorted(),
});

// With OSBUILD_RECORD_YOCTO=1 what it says is recorded anew.
describe('real bitbake says it still', { timeout: 300_000 }, () => {
  beforeEach((context) => needBitbake(context));

  test.each(names)('%s', async (name) => {
    const { followed, recording } = await record(name, join(folder, 'build'));
    if (process.env['OSBUILD_RECORD_YOCTO'] === '1') {
      mkdirSync(dirname(recordingOf(name)), { recursive: true });
      writeFileSync(recordingOf(name), recording);
    }
    expect(outcome(followed)).toEqual(outcome(await replay(name, join(folder, 'replay'))));
  });
});
