import { loadProject, resolveRecipes } from '../../src/config/index.ts';
import { checkNames } from '../../src/device/index.ts';
import { boots, describeOutcome, home, osbuildTest } from './osbuild-test.ts';

/** Boots the very image of a machine that is shipped, in QEMU, and shows each check of `osbuild test` as a test of its own. */
export async function describeBoots(name: string, suite: 'boot' | 'start' = 'boot'): Promise<void> {
  const project = await loadProject(home, home);
  const own = project.machines.get(name)?.machine.recipes ?? [];
  const recipes = await resolveRecipes(project, [...(project.build.recipes ?? []), ...own]);
  const checks = checkNames(suite, recipes, project.build.mode ?? 'development', { module: project.machines.get(name)?.machine.arch === 'amd64' });
  const { skipped, why } = boots(name);
  describeOutcome(`${name} in QEMU${why}`, checks, () => osbuildTest('--machine', name, '--suite', suite), skipped);
}
