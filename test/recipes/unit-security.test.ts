import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exposure, scores } from '../../docs/security-scores.mjs';

const recipes = new URL('../../recipes', import.meta.url).pathname;
const folder = 'usr/lib/systemd/system';
const unitsOf = (recipe: string): string[] => {
  const at = join(recipes, recipe, 'files', folder);
  return existsSync(at) ? readdirSync(at).filter((name) => name.endsWith('.service')) : [];
};
const own = readdirSync(recipes).flatMap((recipe) => unitsOf(recipe).map((unit) => ({ recipe, unit })));
const table = new Map(scores().map((row) => [row.unit, row]));

/** Exposures of different versions of systemd differ by tenths. */
const toleranceOfVersions = 1;

/** `--offline` came with 250. */
function systemdVersion(): number {
  try {
    return Number(/^systemd (\d+)/.exec(execFileSync('systemd-analyze', ['--version'], { encoding: 'utf8' }))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

test('every service of the recipes is in the documentation, and one that may do much has a reason there', () => {
  expect(own.length).toBeGreaterThan(10);
  expect(own.filter(({ unit }) => !table.has(unit))).toEqual([]);
  expect([...table.values()].filter(({ score, reason }) => score > 5 && reason === '').map(({ unit }) => unit)).toEqual([]);
});

describe.skipIf(systemdVersion() < 250)('by systemd-analyze (skipped without it)', () => {
  let root = '';
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'osbuild-units-'));
    mkdirSync(join(root, folder), { recursive: true });
    for (const { recipe, unit } of own) cpSync(join(recipes, recipe, 'files', folder, unit), join(root, folder, unit));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  test.each(own.map(({ unit }) => unit))('%s is as exposed as documented', (unit) => {
    const row = table.get(unit);
    const measured = exposure(root, unit.replace('@.', '@x.'));
    expect(Math.abs(measured - (row?.score ?? -10)), `measured ${measured}`).toBeLessThanOrEqual(toleranceOfVersions);
    if (row?.reason === '') expect(measured).toBeLessThanOrEqual(5);
  });
});
