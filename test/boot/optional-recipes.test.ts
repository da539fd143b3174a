// Starts images with recipes that none has by itself: a project of its own adds them.
//
//   OSBUILD_OPTIONAL_RECIPES=bluetooth OSBUILD_OPTIONAL_MACHINES=genericx86-64 npm test -- test/boot/optional-recipes.test.ts
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { loadProject, resolveRecipes } from '../../src/config/index.ts';
import { checkNames, hasBluetooth, hasScreen } from '../../src/device/index.ts';
import { describeOutcome, home, machinesOf, osbuildTest, wanted, whySkipped } from './osbuild-test.ts';

const added = machinesOf('OSBUILD_OPTIONAL_RECIPES', '');
const project = await loadProject(home, home);

for (const name of added.length === 0 ? [] : machinesOf('OSBUILD_OPTIONAL_MACHINES', 'genericx86-64')) {
  const recipes = await resolveRecipes(project, [...(project.build.recipes ?? []), ...(project.machines.get(name)?.machine.recipes ?? []), ...added]);
  const machine = project.machines.get(name)?.machine;
  const abilities = machine === undefined ? {} : { bluetooth: hasBluetooth(machine, recipes), screen: hasScreen(machine, recipes) };
  describeOutcome(`${name} with ${added.join(', ')} in QEMU${whySkipped}`, checkNames('start', recipes, project.build.mode ?? 'development', abilities), async () => {
    const folder = mkdtempSync(join(tmpdir(), 'osbuild-optional-'));
    try {
      writeFileSync(join(folder, 'build.config.yaml'), `base: osbuild\naddRecipes: [${added.join(', ')}]\n`);
      return await osbuildTest('--machine', name, '--suite', 'start', '--project', folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, !wanted);
}

if (added.length === 0) describe.skip('recipes that no image has by itself (needs OSBUILD_OPTIONAL_RECIPES=NAME,…)', () => void test.todo('start'));
