import { execa } from 'execa';
import { describe, expect, test } from 'vitest';

/** Linters are ordinary tests: what they say is the failure's text. */
async function clean(command: string, ...args: string[]): Promise<void> {
  const result = await execa(command, args, { reject: false, all: true, preferLocal: true });
  expect(result.exitCode, result.all).toBe(0);
}

describe('the code', () => {
  test('compiles: builder and tests', () => clean('tsc', '-p', '.'), 180_000);
  test('compiles: engine', () => clean('tsc', '-p', 'src/engine'), 180_000);
  test('passes the linter', () => clean('oxlint', '--deny-warnings', 'src', 'test'));
  test('keeps the import rules', () => clean('depcruise', '--config', '.dependency-cruiser.cjs', 'src'), 180_000);
  test('has types generated from the schemas as they are', () => clean('node', 'src/config/generate-types.mjs', '--check'));
  test('has a reference generated from the schemas as they are', () => clean('node', 'src/config/generate-reference.mjs', '--check'));
  test('has its table of machines generated from their files as they are', () => clean('node', 'docs/generate-machines.mjs', '--check'));
});
