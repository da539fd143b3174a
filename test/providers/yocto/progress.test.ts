import { describe, expect, test } from 'vitest';

import { advance, initialState, progressText, readEvent, type WatchEvent } from '../../../src/providers/yocto/bitbake/progress.ts';

const tasks = (done: number, total: number, shared = 0, sharedTotal = 0): WatchEvent => ({ event: 'tasks', total, done, failed: 0, shared_total: sharedTotal, shared, not_shared: 0 });
const after = (events: WatchEvent[]) => events.reduce(advance, initialState);

describe('following bitbake', () => {
  test('recipes are read, tasks are counted, those that run are named', () => {
    expect(progressText(initialState)).toBe('starting bitbake');
    expect(after([{ event: 'parse', done: 50, total: 900 }])).toMatchObject({ phase: 'parsing', done: 50, total: 900 });
    const building = after([
      { event: 'parsed', recipes: 900, cached: 0, masked: 40, skipped: 3, errors: 0 },
      tasks(3, 100, 7, 20),
      ...[1, 2, 3, 4, 5].map((pid): WatchEvent => ({ event: 'task-start', pid, recipe: `r${pid}`, task: 'do_compile', log: null })),
      { event: 'task-end', pid: 2, recipe: 'r2', task: 'do_compile', ok: true },
    ]);
    expect(building).toMatchObject({ phase: 'building', done: 3, total: 100, shared: 7, sharedTotal: 20 });
    expect(progressText(building)).toBe('7 of 20 from shared state; r1 do_compile, r3 do_compile, r4 do_compile and 1 more');
  });

  test('a failed task is kept with its log; warnings are counted apart from errors', () => {
    const state = after([
      { event: 'task-start', pid: 9, recipe: 'zlib', task: 'do_fetch', log: '/l' },
      { event: 'log', level: 'warning', text: 'w' },
      { event: 'log', level: 'plain', text: 'Sstate summary: Wanted 2 Local 0 Mirrors 2 Missed 0 Current 0' },
      { event: 'log', level: 'error', text: 'e' },
      { event: 'task-end', pid: 9, recipe: 'zlib', task: 'do_fetch', ok: false, log: '/l' },
      { event: 'end', ok: false },
    ]);
    expect(state).toMatchObject({ failures: [{ recipe: 'zlib', task: 'do_fetch', log: '/l' }], warnings: 1, errors: ['e'], end: 'failed' });
    expect(state.running.size).toBe(0);
  });

  test('a full disk stays the reason, whatever bitbake says at its end', () => {
    expect(after([{ event: 'disk-full', text: '' }, { event: 'end', ok: true }]).end).toBe('disk-full');
  });

  test.each(['', 'Loading cache', '{"no":"event"}', '{"event":', '[1]'])('%j is no event', (line) => {
    expect(readEvent(line)).toBeNull();
  });
});
