import { expect, test } from 'vitest';

import type { BuildEvent } from '../../src/model/index.ts';
import { bytesText, durationText, jsonReporter, plainReporter, terminalReporter } from '../../src/report/index.ts';

const events: BuildEvent[] = [
  { type: 'plan', machine: 'board', tasks: 3, cached: 1, toRun: [{ id: 'a', title: 'one' }, { id: 'b', title: 'two' }], concurrency: 2 },
  { type: 'task-start', id: 'a', title: 'one' },
  { type: 'task-progress', id: 'a', done: 1_500_000, total: 3_000_000, unit: 'bytes' },
  { type: 'task-done', id: 'a', title: 'one', cached: false, durationMs: 1234 },
  { type: 'task-start', id: 'b', title: 'two' },
  { type: 'task-failed', id: 'b', title: 'two', code: 'OSB_TASK_FAILED', message: 'it broke', log: { path: '/l', tail: ['last line'], command: 'sh /s' } },
  { type: 'artifact', machine: 'board', path: '/out/x', sizeBytes: 2_000_000, sha256: 'ab' },
  { type: 'end', outcome: 'failed', durationMs: 61_000 },
];

async function play(make: typeof plainReporter): Promise<{ stdout: string; stderr: string }> {
  const text = { stdout: '', stderr: '' };
  const reporter = make({ stdout: (more) => void (text.stdout += more), stderr: (more) => void (text.stderr += more) });
  for (const event of events) reporter.report(event);
  await reporter.close();
  return text;
}

test('plain lines: progress on stderr, results on stdout, everything of a failure', async () => {
  const { stdout, stderr } = await play(plainReporter);
  expect(stdout).toBe('/out/x  2.0 MB  sha256:ab\n');
  expect(stderr.split('\n')).toEqual([
    'board: 3 tasks, 1 of them done before', '▶ one', '✔ one (1.2 s)', '▶ two', '✖ two: it broke', '  │ last line', '  run it again: sh /s', '  log: /l', 'failed after 1 min 01 s', '',
  ]);
});

test('JSON: one event a line, with its time', async () => {
  const { stdout, stderr } = await play(jsonReporter);
  expect(stderr).toBe('');
  const lines = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as BuildEvent & { time: string });
  expect(lines.map(({ time: _time, ...event }) => event)).toEqual(events);
  expect(Number.isNaN(Date.parse(lines[0]?.time ?? ''))).toBe(false);
});

test('a terminal ends with the failure, its log and the artifacts, also when tasks never came to their turn', async () => {
  const { stdout, stderr } = await play(terminalReporter);
  expect(stderr).toContain('✖ two: it broke\n  │ last line\n  run it again: sh /s\n  log: /l');
  expect(stdout).toContain('/out/x');
});

test('sizes and times for people', () => {
  expect([0, 999, 1000, 9949, 9951, 123_456, 1e9].map(bytesText)).toEqual(['0 B', '999 B', '1.0 kB', '9.9 kB', '10 kB', '123 kB', '1.0 GB']);
  expect([5, 1000, 59_900, 60_000, 3_599_900].map(durationText)).toEqual(['5 ms', '1.0 s', '59.9 s', '1 min 00 s', '60 min 00 s']);
});
