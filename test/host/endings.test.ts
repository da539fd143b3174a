import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
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

  test.each([
    ['end-throw', 'thrower', /^minke\.js$/, 'endings', 'thrown on purpose'],
    ['end-throw-late', 'lateThrower', /^late-\w+\.js$/, 'late', 'thrown late'],
  ])('the positions of a stack are those of the source map, in modules that come later too: %s', async (program, thrower, module, file, message) => {
    const { stderr } = await end(program);
    const [, name, line, column] = new RegExp(`at ${thrower} \\((\\S+?):(\\d+):(\\d+)\\)`).exec(stderr) ?? [];
    expect(name).toMatch(module);
    const map = new SourceMap(JSON.parse(readFileSync(`${folder}/minke.js.map`, 'utf8')) as SourceMapPayload);
    const found = map.findEntry(Number(line) - 1, Number(column) - 1);
    if (!('originalSource' in found)) throw new Error(`line ${line} is not in the map`);
    expect(found.originalSource).toMatch(new RegExp(`test/host/programs/${file}\\.ts$`));
    const source = readFileSync(new URL(`programs/${file}.ts`, import.meta.url), 'utf8').split('\n');
    expect(source[found.originalLine]).toContain(`throw new Error('${message}')`);
  });

  test('a module that several import at once is loaded once', async () => {
    expect(await end('end-late-twice')).toMatchObject({ code: 0, stderr: 'loaded by both\n' });
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
