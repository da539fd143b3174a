export const DEFAULT_ROUNDS = 150;
/** How many mutants of its corpus each parser gets; OSBUILD_FUZZ_ROUNDS for more. */
export const ROUNDS = Number(process.env['OSBUILD_FUZZ_ROUNDS'] ?? DEFAULT_ROUNDS);
const SEED = Number(process.env['OSBUILD_FUZZ_SEED'] ?? '1');
/** CPU time for one input; inputs are at most a few hundred kilobytes. */
const LIMIT_MS = 2000;
const MEMORY_LIMIT_BYTES = 256 * 1024 * 1024;
const SIZE_LIMIT = 256 * 1024;
const SHRINK_LIMIT = 400;

/** A parser under test. Texts are given as they are; bytes as Latin-1 texts, so that one mutator serves both. */
export interface Target {
  name: string;
  corpus: readonly string[];
  /** What the grammar is made of. */
  words?: readonly string[];
  /** Throws, or gives something wrong, where the parser is at fault; its own errors are `refusal`s. */
  run(input: string): unknown;
  refusal?(error: unknown): boolean;
}

/** As in "mulberry32": small, and the same everywhere. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const NASTY = [
  '', '\0', '\n', '\r\n', ' ', '\t', '"', "'", '`', '\\', '/', '../', '..', '.', ',', ';', ':', '=', '-', '--', '+', '*', '**', '?', '[', ']', '{', '}', '(', ')', '<', '<<', '>', '|', '&', '$', '${', '%', '%zz', '#', '@', '!', '~', '^', '_',
  '0', '-1', '1e9', '00', '0x10', '4294967296', '9007199254740993', '99999999999999999999999', 'NaN', 'null', 'true', '[]', '{}', '__proto__', 'constructor', '\u00ff', '\u00a0', '\u000b', '\u00c3\u00a9', '\ufeff', '\u{1f600}', '\ud800', 'a'.repeat(300),
];

/** One input made of others: cut, doubled, joined, sprinkled with words that grammars stumble over. */
export function mutate(corpus: readonly string[], words: readonly string[], random: (below: number) => number): string {
  const pick = (list: readonly string[]): string => list[random(list.length)] ?? '';
  let input = pick(corpus);
  for (let steps = 1 + random(6); steps > 0; steps -= 1) {
    const [at, other] = [random(input.length + 1), random(input.length + 1)];
    const [from, to] = [Math.min(at, other), Math.max(at, other)];
    switch (random(9)) {
      case 0: input = input.slice(0, from) + input.slice(Math.min(to, from + random(16))); break;
      case 1: input = input.slice(0, at) + pick(NASTY) + input.slice(at); break;
      case 2: input = input.slice(0, at) + pick(words.length > 0 ? words : NASTY) + input.slice(at); break;
      case 3: input = input.slice(0, from) + pick([...NASTY, ...words]) + input.slice(Math.min(to, from + 1 + random(8))); break;
      case 4: input = input.slice(0, at) + String.fromCharCode(random(256)) + input.slice(at + 1); break;
      case 5: input = input.slice(0, to) + input.slice(from, to) + input.slice(to); break;
      case 6: input = input.slice(0, at) + pick(corpus).slice(random(20)); break;
      case 7: input = input.slice(0, at); break;
      default: input = input.slice(0, at) + (random(4) === 0 ? pick([...NASTY, ...words]).repeat(1 + random(2000)) : input.slice(from, from + 1 + random(8)).repeat(1 + random(40))) + input.slice(at);
    }
  }
  return input.slice(0, SIZE_LIMIT);
}

type Verdict = string | undefined;

async function verdictOf({ run, refusal }: Target, input: string): Promise<Verdict> {
  const [cpu, heap] = [process.cpuUsage(), process.memoryUsage().heapUsed];
  try {
    await run(input);
  } catch (error) {
    if (refusal?.(error) !== true) return error instanceof Error ? `${error.name}: ${error.message}\n${(error.stack ?? '').split('\n').slice(1, 5).join('\n')}` : String(error);
  }
  const { user, system } = process.cpuUsage(cpu);
  if ((user + system) / 1000 > LIMIT_MS) return `it took ${Math.round((user + system) / 1000)} ms of processor time`;
  return process.memoryUsage().heapUsed - heap > MEMORY_LIMIT_BYTES ? 'it took more than 256 MB' : undefined;
}

/** A shorter input that fails too. */
async function shrunk(target: Target, input: string, verdict: string): Promise<string> {
  const kind = verdict.split('\n')[0]?.slice(0, 20) ?? '';
  let best = input;
  let tries = 0;
  for (let piece = Math.ceil(best.length / 2); piece >= 1 && tries < SHRINK_LIMIT; piece = piece === 1 ? 0 : Math.ceil(piece / 2)) {
    for (let at = 0; at < best.length && tries < SHRINK_LIMIT; ) {
      tries += 1;
      const shorter = best.slice(0, at) + best.slice(at + piece);
      if ((await verdictOf(target, shorter))?.startsWith(kind) === true) best = shorter;
      else at += piece;
    }
  }
  return best;
}

/** The corpus as it is, then mutants of it. Throws with the seed, the round and the shortest input found. */
export async function fuzz(target: Target, rounds = ROUNDS, seed = SEED): Promise<void> {
  const check = async (input: string, round: number): Promise<void> => {
    const verdict = await verdictOf(target, input);
    if (verdict === undefined) return;
    const short = await shrunk(target, input, verdict);
    throw new Error(`${target.name}, seed ${seed}, round ${round}: ${JSON.stringify(short.length > 2000 ? `${short.slice(0, 2000)}…` : short)} (${short.length} characters)\n${verdict}`);
  };
  for (const [index, input] of target.corpus.entries()) await check(input, index - target.corpus.length);
  let random = randomOf(seed);
  for (let round = 0; round < rounds; round += 1) {
    // Each round by itself: the failing one is found again without those before it.
    random = randomOf(seed * 1_000_003 + round);
    await check(mutate(target.corpus, target.words ?? [], random), round);
  }
}

/** Says what is wrong where a parser gives what it must not. */
export function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(`wrong: ${what}`);
}

export function bytesOf(input: string): Uint8Array {
  return new Uint8Array(Buffer.from(input, 'latin1'));
}

export function inputOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
