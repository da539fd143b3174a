import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseDocument, stringify } from 'yaml';

import { readYaml, YamlError, type YamlNode } from '../../../src/engine/compose/yaml/index.ts';

/** What a document means, as JavaScript has it. */
function plain(node: YamlNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  return Object.fromEntries([...node.entries].map(([key, value]) => [key, plain(value)]));
}

type Outcome = { value: unknown } | { error: string };

function ours(text: string): Outcome {
  try {
    return { value: plain(readYaml(text)) };
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    return { error: `${error.line}: ${error.message}` };
  }
}

/** The yaml package: another reader, by other people. */
function theirs(text: string): Outcome {
  const document = parseDocument(text, { merge: true, logLevel: 'silent' });
  const [first] = document.errors;
  if (first !== undefined) return { error: `${first.code}: ${first.message}` };
  try {
    return { value: document.toJS() };
  } catch (error) {
    return { error: String(error) };
  }
}

const agree = (text: string): void => expect(ours(text), text).toEqual(theirs(text));

/** A generator of numbers that are the same every time. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const WORDS = ['web', 'a b', '', ' x', 'x ', 'yes', 'true', '12', '0x1f', '1.50', '~', 'null', '- a', 'a: b', 'a #b', '#c', "it's", '"q"', '80:80', '127.0.0.1:80:80/udp', 'a\nb\n', 'a\n\n  b\n', '\n', 'é→', '*x', '&y', '!z', '%', '@', '`', '[a]', '{b}', '|', '>', '${A:-b}', 'a,b', 'a]b', '\t', 'long '.repeat(40), '---', '...', '<<', ':x', 'x:', '?x', '? x'];

function invent(random: (below: number) => number, depth: number): unknown {
  const kind = random(depth > 3 ? 4 : 8);
  const word = (): string => WORDS[random(WORDS.length)] ?? '';
  if (kind < 2) return word();
  if (kind === 2) return [0, -1, 1.5, 1e21, 8080, 0.1][random(6)];
  if (kind === 3) return [true, false, null][random(3)];
  if (kind < 6) return Array.from({ length: random(4) }, () => invent(random, depth + 1));
  return Object.fromEntries(Array.from({ length: random(5) }, (_, index) => [`${word()}${index}`, invent(random, depth + 1)]));
}

describe('YAML, beside the yaml package', () => {
  test.each([
    'a: 1', 'a:\n  b: c\n  d:\n  - 1\n  - 2\n', 'a:\n- b: 1\n  c: 2\n-\n  d: 3\n- - x\n  - y\n', '- a\n-\n- b:\n', 'a: &x\n  b: 1\nc: *x\nd:\n  <<: *x\n  e: 2\n',
    'a: &l\n- 1\nb: *l\n', 'x: &a {k: 1, j: 2}\ny: &b {k: 3, m: 4}\nz: {<<: [*a, *b], j: 9}\n', 'a: "x\\n\\u00e9 \\x41"\n', "a: 'it''s'\n", 'a: "one\n  two\n\n  three"\n', 'a: one\n  two\n\n  three # end\nb: 1\n',
    'a: |\n  x\n   y\n\n  z\n\nb: 1', 'a: >\n  x\n  y\n\n  z\n   more\n  w\n', 'a: |-\n  x\n', 'a: |+\n  x\n\n\nb: 2\n', 'a: |2\n    x\n   y\n', '- |\n  x\n- >-\n  y\n  z\n', 'a: [1, "b", c d, {e: f}, [g]]\n',
    'a: {"b":1, c: , d}\n', 'a: [\n  x,\n  y, # note\n]\n', 'a: !!str 12\nb: !!int 3\n', '---\na: 1\n...\n', '# only a comment\n', '', 'a: b # c\n#d\ne: f#g\n', 'a: http://x:80/y\n', 'a: -1\nb: 0o17\nc: .5\nd: 1e3\ne: 012\nf: 1_000\n',
    '"quoted key": 1\n\'other\': 2\n12: x\ntrue: y\n', 'a: "folded \\\n  line"\n', 'a:\n  - b\n  -   c: 1\n      d: 2\n', 'a: >2-\n    x\n', '- [a: b, c]\n', 'a : b\n', 'text', '|\n x', '- # c\n  a: 1\n', 'a: # c\n  - 1\n', 'a:\r\n  b: 1\r\n', 'a: x\n\n\n\nb: y',
  ])('%j', agree);

  test('random documents, in every style that it can write', () => {
    const random = numbers(7);
    for (let round = 0; round < 1500; round += 1) {
      const value = invent(random, 0);
      const collectionStyle = (['any', 'block', 'flow'] as const)[random(3)] ?? 'any';
      const text = stringify(value, { indent: 1 + random(4), lineWidth: [0, 20, 80][random(3)] ?? 0, indentSeq: random(2) === 0, singleQuote: random(2) === 0, collectionStyle, aliasDuplicateObjects: false, ...(random(3) === 0 ? { defaultStringType: (['QUOTE_DOUBLE', 'QUOTE_SINGLE', 'BLOCK_LITERAL', 'BLOCK_FOLDED', 'PLAIN'] as const)[random(5)] ?? 'PLAIN' } : {}) });
      const there = theirs(text);
      // What it writes and cannot read back itself proves nothing.
      if ('value' in there) expect(ours(text), text).toEqual(there);
    }
  });

  test('documents with something put in, taken out or changed: never another value, and nothing taken that is refused there', () => {
    const random = numbers(11);
    const compose = ['replicas', 'database', 'ordering'].map((name) => readFileSync(fileURLToPath(new URL(`../applications/${name}/compose.yaml`, import.meta.url)), 'utf8'));
    const pieces = ['\n', ' ', '  ', ':', ': ', '- ', '#', ' #', '"', "'", '[', ']', '{', '}', ',', '&a ', '*a', '|', '>', '\n\n', '!', 'x', '---\n', '\\', '<<', '? '];
    let both = 0;
    for (let round = 0; round < 4000; round += 1) {
      let text = random(2) === 0 ? (compose[random(3)] ?? '') : stringify(invent(random, 0));
      for (let changes = 1 + random(3); changes > 0; changes -= 1) {
        const at = random(text.length + 1);
        text = text.slice(0, at) + (random(3) === 0 ? '' : (pieces[random(pieces.length)] ?? '')) + text.slice(at + random(3));
      }
      const [here, there] = [ours(text), theirs(text)];
      if ('error' in here) continue;
      // Brackets may close as far out as people like, here as in what Docker reads with.
      if ('error' in there && /^BAD_INDENT.*(?:Flow|flow)/.test(there.error)) continue;
      expect(here, `${JSON.stringify(text)}\n${text}`).toEqual(there);
      both += 1;
    }
    expect(both).toBeGreaterThan(1300);
  });

  test.each([
    ['a: 1\na: 2\n', '2: the key a is there twice'], ['a:\n\tb: 1\n', '2: a tab in the indentation: use blanks'], ['a: b: c\n', '1: a key behind a value on the same line: put it on a line of its own, or the value between quotes'],
    ['a: *b\n', '1: there is no anchor &b before'], ['a: "x\n', '1: " is not closed'], ['a: [1, 2\n', '1: [ is not closed'], ['? a\n: b\n', '1: "? " begins a key that is more than a word: not supported'], ['a: !reset null\n', '1: the tag !reset: not supported'],
    ['a: 1\n---\nb: 2\n', '2: a second document begins: only one can be taken'], ['a:\n    b: 1\n  c: 2\n', '3: this line is further in than the ones it belongs to'], ['%YAML 1.2\n---\na: 1\n', '1: a directive (%): leave it out'], ['a: @b\n', '1: an unquoted value cannot begin with @: put it between quotes'],
    ['a\0: 1', '1: a control character'], ['a: - b\n', '1: a list begins on a line of its own'], ['a: "\\q"\n', '1: \\q is no escape'],
  ])('%j is refused with its line', (text, error) => {
    expect(ours(text)).toEqual({ error });
  });

  test('aliases within aliases, and levels without end, end in an error', () => {
    const bomb = ['a0: &a0 [x]', ...Array.from({ length: 30 }, (_, index) => `a${index + 1}: &a${index + 1} [*a${index}, *a${index}]`)].join('\n');
    expect(ours(bomb)).toEqual({ error: expect.stringContaining('more values than can be taken') });
    expect(ours('['.repeat(100_000))).toEqual({ error: '1: too many levels' });
    expect(ours('- '.repeat(100_000))).toEqual({ error: '1: too many levels' });
  });
});
