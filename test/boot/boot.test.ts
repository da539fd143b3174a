// Boots the very images that are shipped, in QEMU, and shows each check of `osbuild test` as a test of its own.
import { loadProject, resolveRecipes } from '../../src/config/index.ts';
import { checkNames } from '../../src/device/index.ts';
import { describeOutcome, home, machinesOf, osbuildTest, whySkipped } from './osbuild-test.ts';

const project = await loadProject(home, home);

/** A machine joins the default when all its checks have passed; others are named in the environment. */
for (const name of machinesOf('OSBUILD_BOOT_MACHINES', 'qemuarm64,genericx86-64,raspberrypi3-64')) {
  const own = project.machines.get(name)?.machine.recipes ?? [];
  const recipes = await resolveRecipes(project, [...(project.build.recipes ?? []), ...own]);
  describeOutcome(`${name} in QEMU${whySkipped}`, checkNames('boot', recipes, project.build.mode ?? 'development'), () => osbuildTest('--machine', name));
}
