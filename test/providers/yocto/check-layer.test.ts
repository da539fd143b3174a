import { join } from 'node:path';

import { execa } from 'execa';
import { beforeEach, expect, test } from 'vitest';

import { layersFolder, needLayers } from './checkouts.ts';
import { home } from './support.ts';

// Third tier: the Yocto Project's own check of a layer, over the recipes that this layer touches.
const minutes = 60_000;
beforeEach((context) => needLayers(context));

test('yocto-check-layer passes: README, world, and no other layer\'s recipe changed under another distribution', { timeout: 60 * minutes }, async () => {
  const { exitCode, stdout } = await execa('node', [join(home, 'bench/yocto-check-layer.mjs'), '--layers', layersFolder], { reject: false, all: true });
  expect(exitCode, stdout.slice(-4000)).toBe(0);
  expect(stdout).toMatch(/^INFO: meta-minke \.\.\. PASS$/m);
  for (const name of ['test_readme', 'test_parse', 'test_world', 'test_world_inherit_class', 'test_signatures', 'test_layerseries_compat']) expect(stdout).toMatch(new RegExp(`${name}: PASSED`));
});
