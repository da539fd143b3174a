import { execa } from 'execa';
import { describe, expect, test } from 'vitest';

/** Linters are ordinary tests: what they say is the failure's text. */
async function clean(command: string, ...args: string[]): Promise<void> {
  const result = await execa(command, args, { reject: false, all: true, preferLocal: true });
  expect(result.exitCode, result.all).toBe(0);
}

/** Seconds on a quiet machine; the suite may run beside much else. */
const limitMs = 900_000;

describe('the code', () => {
  test('compiles: builder and tests', () => clean('tsc', '-p', '.'), limitMs);
  test('compiles: engine', () => clean('tsc', '-p', 'src/engine'), limitMs);
  test('passes the linter', () => clean('oxlint', '--deny-warnings', 'src', 'test'), limitMs);
  test('keeps the import rules', () => clean('depcruise', '--config', '.dependency-cruiser.cjs', 'src'), limitMs);
  test('has types generated from the schemas as they are', () => clean('node', 'src/config/generate-types.mjs', '--check'), limitMs);
  test('has the keys of config.json generated from their schema as they are', () => clean('node', 'src/config/generate-device-keys.mjs', '--check'), limitMs);
  test('has a reference generated from the schemas as they are', () => clean('node', 'src/config/generate-reference.mjs', '--check'), limitMs);
  test('has the kernel fragments of meta-minke generated from those of recipes and machines as they are', () => clean('node', 'src/providers/yocto/generate-fragments.mjs', '--check'), limitMs);
  test('has its table of machines generated from their files as they are', () => clean('node', 'docs/generate-machines.mjs', '--check'), limitMs);
});
