import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { execa } from 'execa';
import { beforeEach, describe, expect, test } from 'vitest';

import { loadProject } from '../../../src/config/index.ts';
import type { YoctoInspection } from '../../../src/providers/yocto/index.ts';
import { layersFolder, needLayers } from './checkouts.ts';
import { home } from './support.ts';

// Third tier: all layers, read whole, and the image of each machine planned. A quarter of an hour a machine where others keep the processors busy.
const minutes = 60_000;
const project = await loadProject(home, home);
const machines = [...project.machines.values()].filter(({ machine }) => machine.yocto !== undefined).map(({ name }) => name);

/** Which recipes bitbake chooses as kernel and boot loader: the table of docs/yocto.md, without versions. */
const chosen: Readonly<Record<string, { kernel: string; bootLoader: string }>> = {
  'beaglebone-black': { kernel: 'linux-bb.org', bootLoader: 'u-boot-bb.org' },
  'genericx86-64': { kernel: 'linux-intel', bootLoader: 'systemd-boot' },
  'intel-edison': { kernel: 'linux-yocto', bootLoader: 'u-boot' },
  qemuarm64: { kernel: 'linux-yocto', bootLoader: 'u-boot' },
  'qemux86-64': { kernel: 'linux-yocto', bootLoader: 'systemd-boot' },
  'raspberrypi0-wifi': { kernel: 'linux-raspberrypi', bootLoader: 'u-boot' },
  raspberrypi3: { kernel: 'linux-raspberrypi', bootLoader: 'u-boot' },
  'raspberrypi3-64': { kernel: 'linux-raspberrypi', bootLoader: 'u-boot' },
  'raspberrypi4-64': { kernel: 'linux-raspberrypi', bootLoader: 'u-boot' },
};

test('kernel and boot loader of every machine are known, and the table of docs/yocto.md has the same', () => {
  const cells = readFileSync(join(home, 'docs/yocto.md'), 'utf8').split('\n').filter((line) => /^ *\|/.test(line)).map((line) => line.split('|').map((cell) => cell.trim().split(' ')[0] ?? ''));
  const rows = cells.filter(([, machine = '']) => project.machines.has(machine));
  expect(Object.fromEntries(rows.map((row) => [row[1], { kernel: row.at(-3), bootLoader: row.at(-2) }]))).toEqual(chosen);
  expect(Object.keys(chosen).toSorted()).toEqual(machines.toSorted());
});

describe('over all layers', () => {
  beforeEach((context) => needLayers(context));

  test.each(machines)('%s: recipes are read, and every package of the image is found', { timeout: 90 * minutes }, async (name) => {
    const { stdout, stderr, exitCode } = await execa('node', [join(home, 'bench/yocto.mjs'), '--layers', layersFolder, '--machine', name, '--json'], { reject: false });
    expect(exitCode, stderr).toBe(0);
    const seen = JSON.parse(stdout) as YoctoInspection;
    expect({ kernel: seen.kernel?.recipe, bootLoader: seen.bootLoader?.recipe }).toEqual(chosen[name]);
    expect(seen.kernel?.fragments).toContain('minke.cfg');
    expect(Object.keys(seen.recipes)).toEqual(expect.arrayContaining(['minke-image', 'minke-initrd-packages', 'minke-engine', 'quickjs-native', 'networkmanager', 'crun', 'systemd', 'busybox']));
    // Mozilla's JavaScript would take longer to build than everything else.
    expect(Object.keys(seen.recipes).filter((recipe) => recipe.startsWith('mozjs'))).toEqual([]);
  });
});
