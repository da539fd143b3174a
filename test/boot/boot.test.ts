// Boots the very images that are shipped, in QEMU, and shows each check of `osbuild test` as a test of its own.
import { beforeAll, describe, test } from 'vitest';

import { loadProject, resolveRecipes } from '../../src/config/index.ts';
import { checkNames } from '../../src/device/index.ts';
import { expectExitCode, expectPassed, home, limitMs, osbuildTest, wanted, whySkipped, type Outcome } from './osbuild-test.ts';

/** A machine joins the default when all its checks have passed; others are named in the environment. */
const machines = (process.env['OSBUILD_BOOT_MACHINES'] ?? 'qemuarm64,genericx86-64,raspberrypi3-64').split(',').filter(Boolean);

const project = await loadProject(home, home);

describe.skipIf(!wanted).each(machines)(`%s in QEMU${whySkipped}`, async (name) => {
  const source = project.machines.get(name);
  const own = source?.machine.recipes ?? [];
  const recipes = await resolveRecipes(project, [...(project.build.recipes ?? []), ...own]);
  let outcome: Outcome | undefined;

  beforeAll(async () => {
    outcome = await osbuildTest('--machine', name);
  }, limitMs);

  test.each(checkNames('boot', recipes, project.build.mode ?? 'development'))('%s', (check) => expectPassed(outcome, check));

  test('osbuild test says what became of it by its exit status', () => expectExitCode(outcome));
});
