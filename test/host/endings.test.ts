import { readFileSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { isRoot, needToolchain, run, testPrograms, toolchainRoot, type Finished } from './support/binary.ts';

describe('how a program ends', () => {
  let folder = '';
  const end = (name: string, ...args: string[]): Promise<Finished> => run(`${folder}/minke`, [name, ...args], { timeoutMs: 10_000 });

  beforeAll(() => {
    if (toolchainRoot !== null && isRoot) folder = testPrograms();
  });
  beforeEach(needToolchain);

  test('normally, with 0 and in silence', async () => {
    expect(await end('end-normally')).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  test('with the code that it asks for', async () => {
    expect(await end('end-exit', '42')).toMatchObject({ code: 42 });
  });

  test('by an exception nobody caught: a stack, and 70', async () => {
    const result = await end('end-throw');
    expect(result.code).toBe(70);
    expect(result.stderr).toContain('uncaught: Error: thrown on purpose\n    at thrower (minke.js:');
  });

  test('the positions of a stack are those of the source map', async () => {
    const { stderr } = await end('end-throw');
    const [, line, column] = /at thrower \(minke\.js:(\d+):(\d+)\)/.exec(stderr) ?? [];
    const map = JSON.parse(readFileSync(`${folder}/minke.js.map`, 'utf8')) as { sources: string[]; mappings: string };
    const found = originalPosition(map, Number(line), Number(column));
    expect(found?.source).toMatch(/test\/host\/programs\/endings\.ts$/);
    const source = readFileSync(new URL('programs/endings.ts', import.meta.url), 'utf8').split('\n');
    expect(source[(found?.line ?? 0) - 1]).toContain("throw new Error('thrown on purpose')");
  });

  test('by an exception in a timer', async () => {
    const result = await end('end-throw-in-timer');
    expect(result).toMatchObject({ code: 70 });
    expect(result.stderr).not.toContain('still here');
  });

  test('by a rejection nobody handled', async () => {
    const result = await end('end-reject');
    expect(result.code).toBe(70);
    expect(result.stderr).toContain('TypeError: rejected on purpose');
    expect(result.stderr).not.toContain('still here');
  });

  test('not by a rejection that is handled a little later', async () => {
    expect(await end('end-reject-handled-later')).toMatchObject({ code: 0, stderr: 'fine\n' });
  });

  test('when it waits for nothing any more', async () => {
    const result = await end('end-pending');
    expect(result).toMatchObject({ code: 70 });
    expect(result.stderr).toContain('no longer happen');
  });

  test('not at all where a handler takes what nobody caught', async () => {
    const result = await end('end-handler');
    expect(result.code).toBe(0);
    expect(result.stderr.split('\n').toSorted()).toEqual(['', 'handler got Error: and this', 'handler got Error: thrown on purpose', 'went on']);
  });

  test('when that handler fails: both errors are shown', async () => {
    const result = await end('end-handler-throws');
    expect(result.code).toBe(70);
    expect(result.stderr).toContain('Error: thrown on purpose');
    expect(result.stderr).toContain('Error: the handler fails');
  });

  test('with the cause of an error', async () => {
    expect((await end('end-cause')).stderr).toMatch(/uncaught: Error: outer[^]*caused by: Error: inner/);
  });

  test('by a signal, as any program', async () => {
    expect(await end('end-by-signal')).toMatchObject({ code: null, signal: 'SIGTERM' });
    expect(await end('end-with-handler-for-signal')).toMatchObject({ code: 3, stderr: 'got TERM\n' });
  });

  test('by endless recursion: an error, not a crash, and a short stack', async () => {
    const result = await end('end-deep');
    expect(result.code).toBe(70);
    expect(result.stderr).toContain('stack overflow');
    expect(result.stderr.split('\n').length).toBeLessThan(40);
  });
});

/** Looks a position (1-based) up in a source map of version 3: the last mapping of the line at or before the column. */
function originalPosition(map: { sources: string[]; mappings: string }, line: number, column: number): { source: string; line: number } | null {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  let [source, original] = [0, 0];
  let best: { source: string; line: number } | null = null;
  map.mappings.split(';').forEach((segments, index) => {
    let generated = 0;
    for (const segment of segments.split(',').filter((text) => text !== '')) {
      const numbers: number[] = [];
      let [value, shift] = [0, 0];
      for (const digit of segment) {
        const bits = digits.indexOf(digit);
        value |= (bits & 31) << shift;
        shift += 5;
        if (bits & 32) continue;
        numbers.push(value & 1 ? -(value >> 1) : value >> 1);
        [value, shift] = [0, 0];
      }
      generated += numbers[0] ?? 0;
      source += numbers[1] ?? 0;
      original += numbers[2] ?? 0;
      if (index === line - 1 && generated <= column - 1 && numbers.length > 1) best = { source: map.sources[source] ?? '', line: original + 1 };
    }
  });
  return best;
}
