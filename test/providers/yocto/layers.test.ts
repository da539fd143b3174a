import { join } from 'node:path';

import { execa } from 'execa';
import { beforeEach, expect, test } from 'vitest';

import { loadProject } from '../../../src/config/index.ts';
import type { YoctoInspection } from '../../../src/providers/yocto/index.ts';
import { layersFolder, needLayers } from './checkouts.ts';
import { home } from './support.ts';

// Third tier: all layers, read whole, and the image of each machine planned. A quarter of an hour a machine where others keep the processors busy.
const minutes = 60_000;
const project = await loadProject(home, home);
const machines = [...project.machines.values()].filter(({ machine }) => machine.yocto !== undefined).map(({ name }) => name);
beforeEach((context) => needLayers(context));

test.each(machines)('%s: recipes are read, and every package of the image is found', { timeout: 90 * minutes }, async (name) => {
  const { stdout, stderr, exitCode } = await execa('node', [join(home, 'bench/yocto.mjs'), '--layers', layersFolder, '--machine', name, '--json'], { reject: false });
  expect(exitCode, stderr).toBe(0);
  const seen = JSON.parse(stdout) as YoctoInspection;
  expect(seen.kernel?.recipe).toMatch(/^linux-/);
  expect(seen.kernel?.fragments).toContain('minke.cfg');
  expect(seen.bootLoader?.recipe).toMatch(/^(u-boot|systemd-boot)/);
  expect(Object.keys(seen.recipes)).toEqual(expect.arrayContaining(['minke-image', 'minke-initrd-packages', 'minke-engine', 'quickjs-native', 'networkmanager', 'crun', 'systemd', 'busybox']));
  // Mozilla's JavaScript would take longer to build than everything else.
  expect(Object.keys(seen.recipes).filter((recipe) => recipe.startsWith('mozjs'))).toEqual([]);
});
