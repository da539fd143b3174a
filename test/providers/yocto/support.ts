import { join } from 'node:path';

import { loadProject, resolveRecipes, type Project } from '../../../src/config/index.ts';
import type { ImageRequest, MachineSource } from '../../../src/model/index.ts';

export const home = join(import.meta.dirname, '../../..');

/** The project of this checkout and what an image of one of its machines is made of. */
export async function requestFor(name: string): Promise<{ project: Project; machine: MachineSource; request: ImageRequest }> {
  const project = await loadProject(home, home);
  const machine = project.machines.get(name);
  if (machine === undefined) throw new Error(`no machine ${name}`);
  const recipes = await resolveRecipes(project, [...(project.build.recipes ?? []), ...(machine.machine.recipes ?? [])]);
  return {
    project,
    machine,
    request: { machine, recipes, mode: 'development', os: { name: 'Minke OS', id: 'minke', version: '0.1.0' }, config: {}, signers: [], epoch: 1793491200, debian: { suite: 'trixie', components: ['main'], exclude: [] } },
  };
}
