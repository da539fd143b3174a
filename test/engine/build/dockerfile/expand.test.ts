import { describe, expect, it } from 'vitest';
import { expandWord } from '../../../../src/engine/build/dockerfile/index.ts';

const values: Record<string, string> = { A: 'one', E: '', P: '/usr/local/bin', F: 'archive.tar.gz', S: 'a b', X: 'foo.bar.foo' };
const expand = (word: string, keepQuotes = false, escape = '\\'): string => expandWord(word, (name) => values[name], { escape, keepQuotes });

describe('words', () => {
  it.each([
    ['plain', 'plain'], ['$A', 'one'], ['${A}', 'one'], ['x$A-y', 'xone-y'], ['${A}y', 'oney'], ['$Ay', ''], ['$UNSET', ''],
    ['"$A"', 'one'], ["'$A'", '$A'], ['\\$A', '$A'], ['"\\$A"', '$A'], ['a\\ b', 'a b'], ['"a\\ b"', 'a\\ b'], ['"a\\"b"', 'a"b'], ["'a\\b'", 'a\\b'], ['$', '$'], ['a$', 'a$'], ['$ a', '$ a'],
    ['"a b"c', 'a bc'], ["a'b'\"c\"", 'abc'], ['', ''], ['""', ''], ['$S', 'a b'], ['$1', ''],
    ['${U:-d}', 'd'], ['${E:-d}', 'd'], ['${A:-d}', 'one'], ['${U-d}', 'd'], ['${E-d}', ''], ['${A-d}', 'one'],
    ['${U:+d}', ''], ['${E:+d}', ''], ['${A:+d}', 'd'], ['${U+d}', ''], ['${E+d}', 'd'], ['${A+d}', 'd'],
    ['${U:-$A}', 'one'], ['${U:-${E:-${A}}}', 'one'], ['${U:-"a b"}', 'a b'], ['${U:-}', ''], ['${A:?no}', 'one'], ['${E?no}', ''],
    ['${P#/usr}', '/local/bin'], ['${P#*/}', 'usr/local/bin'], ['${P##*/}', 'bin'], ['${P%/*}', '/usr/local'], ['${P%%/*}', ''], ['${F%.gz}', 'archive.tar'], ['${F%.*}', 'archive.tar'], ['${F%%.*}', 'archive'], ['${F#nothing}', 'archive.tar.gz'],
    ['${F#?}', 'rchive.tar.gz'], ['${X/foo/x}', 'x.bar.foo'], ['${X//foo/x}', 'x.bar.x'], ['${X//./-}', 'foo-bar-foo'], ['${X//o}', 'f.bar.f'], ['${P//\\//_}', '_usr_local_bin'], ['${X/b*r/$A}', 'foo.one.foo'],
  ])('%s is %s', (word, value) => expect(expand(word)).toBe(value));

  it.each([
    ['${A', "missing '}'"], ['${U:-x', "missing '}'"], ['${}', 'bad substitution'], ['${A!x}', 'unsupported modifier'], ['${U:?must be set}', 'U: must be set'], ['${U?}', 'U: not set'], ['${E:?}', 'E: not set or empty'], ["'a", 'single-quote'], ['"a', 'double-quote'],
  ])('%s is an error', (word, message) => expect(() => expand(word)).toThrow(message));

  it('of documents keep their quotes', () => {
    expect(expand('say "$A" \'$A\' \\$A \\n', true)).toBe('say "one" \'one\' $A \\n');
  });

  it('with another escape character', () => {
    expect(expand('c:\\dir`$A`', false, '`')).toBe('c:\\dir$A');
  });
});
