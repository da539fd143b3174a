import { describe, expect, it } from 'vitest';
import { COMPOSE } from './compose.ts';
import { DOCUMENTS } from './documents.ts';
import { fuzz, mutate, randomOf, ROUNDS } from './fuzz.ts';
import { STREAMS } from './streams.ts';
import { TEXTS } from './texts.ts';

/** Every target goes on at most so long by itself. */
const LIMIT_MS = 30_000 + ROUNDS * 200;

describe('mutants', () => {
  it('are the same for the same seed, and differ for others', () => {
    const made = (seed: number): string[] => Array.from({ length: 50 }, (_, round) => mutate(['one two', '{"a":1}'], ['word'], randomOf(seed * 1000 + round)));
    expect(made(3)).toEqual(made(3));
    expect(made(4)).not.toEqual(made(3));
    expect(new Set(made(3)).size).toBeGreaterThan(40);
  });

  it('find what is wrong, and make it short', async () => {
    const target = { name: 'a parser', corpus: ['some {"text": 1} and more'], words: ['!!'], run: (input: string) => { if (input.includes('!!')) throw new TypeError('caught'); } };
    await expect(fuzz(target, 2000, 7)).rejects.toThrow(/^a parser, seed 7, round \d+: "!!" \(2 characters\)\nTypeError: caught/);
  });
});

describe.each([['texts', TEXTS], ['documents', DOCUMENTS], ['compose files', COMPOSE], ['streams', STREAMS]] as const)('parsers of %s refuse what they cannot read in their own words, and soon', (_, targets) => {
  it.each(targets.map((target) => [target.name, target] as const))('%s', (name, target) => fuzz(target), LIMIT_MS);
});
