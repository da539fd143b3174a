import { describe, expect, it } from 'vitest';
import { parseIgnore } from '../../../src/engine/build/ignore.ts';
import { compilePattern } from '../../../src/engine/build/patterns.ts';

describe('.dockerignore', () => {
  it.each([
    ['a', 'a', true], ['a', 'a/b/c', true], ['a', 'b/a', false], ['/a', 'a', true], ['a/', 'a/x', true], ['./a', 'a', true], ['a/../b', 'b', true],
    ['*.md', 'x.md', true], ['*.md', 'd/x.md', false], ['*/x', 'd/x', true], ['*/x', 'd/e/x', false], ['**/x', 'x', true], ['**/x', 'a/b/x', true], ['**/*.go', 'a/b.go', true], ['a/**', 'a/b/c', true], ['a/**', 'a', false],
    ['a/**/z', 'a/z', true], ['a/**/z', 'a/b/c/z', true], ['**', 'anything/at/all', true], ['*', 'a', true], ['?', 'ab', false], ['a?c', 'abc', true], ['a?c', 'a/c', false], ['[a-c]x', 'bx', true], ['[^a-c]x', 'bx', false], ['[^a-c]x', 'dx', true], ['a\\*', 'a*', true], ['a\\*', 'ab', false],
    ['# a\na', '# a', false], ['  a  ', 'a', true], ['', 'a', false], ['a.b', 'axb', false], ['a+(b)', 'a+(b)', true],
    ['*.md\n!README.md', 'README.md', false], ['*.md\n!README.md', 'x.md', true], ['!README.md\n*.md', 'README.md', true], ['*\n!src', 'src/a', false], ['*\n!src\nsrc/t', 'src/t/x', true], ['a\n!a/b', 'a/b', false], ['a\n!a/b', 'a/c', true],
    ['**/n\n!n/keep', 'n/keep', false], ['.git\n.*', '.gitignore', true], ['ünï?', 'ünïx', true],
  ])('%j, file %s: %s', (text, path, ignored) => expect(parseIgnore(text).ignores(path)).toBe(ignored));

  it('knows whether something ignored may be wanted after all', () => {
    expect([parseIgnore('a\nb').hasExceptions, parseIgnore('a\n!b').hasExceptions]).toEqual([false, true]);
  });

  it.each(['[', '[a', '[a-', 'a\\', '[b-a]', '[-a]'])('%s is malformed', (pattern) => expect(() => compilePattern(pattern, true)).toThrow('syntax error in pattern'));
  it('stars alone do not cross slashes in file names', () => {
    expect([compilePattern('a/*', false).test('a/b'), compilePattern('a/*', false).test('a/b/c'), compilePattern('a/**', false).test('a/b/c')]).toEqual([true, false, false]);
  });
});
