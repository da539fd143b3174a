import { HostError } from 'host:error';
import { encode } from 'host:bytes';
import * as fs from 'host:fs';

/** One line a check on stdout, as TAP has it: the test on the build machine reads these. */
function report(text: string): void {
  fs.write(1, encode(`${text}\n`));
}

let failures = 0;

export async function check(name: string, body: () => unknown): Promise<void> {
  try {
    await body();
    report(`ok - ${name}`);
  } catch (error) {
    failures++;
    report(`not ok - ${name}: ${error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error)}`);
  }
}

export function failed(): boolean {
  return failures > 0;
}

export function equal(actual: unknown, expected: unknown, what = 'value'): void {
  const show = (v: unknown): string => (typeof v === 'bigint' ? `${v}n` : v instanceof Uint8Array ? `bytes ${[...v].join(' ')}` : (JSON.stringify(v) ?? String(v)));
  if (Object.is(actual, expected) || show(actual) === show(expected)) return;
  throw new Error(`${what}: ${show(actual)}, expected ${show(expected)}`);
}

export function ok(condition: boolean, what: string): void {
  if (!condition) throw new Error(`not so: ${what}`);
}

function judge(error: unknown, code: string): HostError {
  if (!(error instanceof HostError)) throw new Error(`expected a HostError, got ${String(error)}`);
  if (error.code !== code) throw new Error(`expected ${code}, got ${error.code}: ${error.message}`);
  return error;
}

/** The HostError with this code that `body` must throw. */
export function fails(code: string, body: () => unknown): HostError {
  let result: unknown;
  try {
    result = body();
  } catch (error) {
    return judge(error, code);
  }
  throw new Error(`expected ${code}, but it gave ${String(result)}`);
}

export async function rejects(code: string, promise: Promise<unknown>): Promise<HostError> {
  let result: unknown;
  try {
    result = await promise;
  } catch (error) {
    return judge(error, code);
  }
  throw new Error(`expected ${code}, but it gave ${String(result)}`);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

/** Bytes that look random and are the same each time: one block of noise again and again, each copy with its number in front. */
export function noise(sizeBytes: number, seed = 1): Uint8Array<ArrayBuffer> {
  const block = 4096; // words; a loop over all of them would take minutes under emulation
  const words = new Uint32Array(Math.ceil(sizeBytes / 4));
  let x = seed;
  for (let i = 0; i < Math.min(block, words.length); i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    words[i] = x;
  }
  for (let at = block; at < words.length; at += block) {
    words.copyWithin(at, 0, block);
    words[at] = at;
  }
  return new Uint8Array(words.buffer, 0, sizeBytes);
}
