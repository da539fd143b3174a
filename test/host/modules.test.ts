import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { checksOf, needToolchain, temporaryFolder, testPrograms, toolchainRoot, isRoot } from './support/binary.ts';

/** What is done to damage deltas; another number is another course. */
const deltaSeed = process.env['OSBUILD_DELTA_SEED'] ?? '12345';

/** Programs that need nothing from outside but a folder: name → more arguments. */
const programs: Record<string, string[]> = {
  bytes: [],
  compress: [],
  crypto: [],
  delta: ['500', deltaSeed],
  fs: [],
  fuzz: ['300', process.env['OSBUILD_FUZZ_SEED'] ?? '1'],
  net: [],
  netlink: [],
  process: [],
  root: [],
  timers: [],
  tree: ['100000'],
};

describe('modules of the native host', () => {
  let binary = '';
  let folder = temporaryFolder();

  beforeAll(() => {
    if (toolchainRoot !== null && isRoot) binary = `${testPrograms()}/minke`;
  });
  beforeEach((context) => {
    needToolchain(context);
    folder = temporaryFolder();
  });
  afterEach(() => folder.remove());

  test.each(Object.keys(programs))('%s', async (name) => {
    expect((await checksOf(binary, [name, folder.path, ...(programs[name] ?? [])])).length).toBeGreaterThan(3);
  }, 300_000);

  test('memory does not grow over 100,000 requests', async () => {
    expect(await checksOf(binary, ['memory', folder.path, '100000'])).toHaveLength(1);
  }, 300_000);
});
