import { readYaml } from '../../config/index.ts';
import type { Command } from '../command.ts';
import { openProject } from '../project.ts';
import { table } from '../table.ts';
import { join } from 'node:path';

export const recipes: Command = {
  name: 'recipes',
  usage: '',
  summary: 'List the recipes and which of them every image has',
  options: {},
  arguments: { min: 0, max: 0 },
  async run(invocation) {
    const project = await openProject(invocation);
    const used = new Set(project.build.recipes);
    const all = [...project.recipes].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const rows: string[][] = [];
    for (const [name, folder] of all) {
      const recipe = await readYaml('recipe', join(folder, 'recipe.yaml'));
      if (invocation.flags.on('json')) invocation.out(`${JSON.stringify({ name, folder, inEveryImage: used.has(name), ...recipe })}\n`);
      else rows.push([name, used.has(name) ? 'yes' : '', (recipe.needs ?? []).join(' '), recipe.description]);
    }
    if (!invocation.flags.on('json')) invocation.out(table(['RECIPE', 'IN EVERY IMAGE', 'NEEDS', 'WHAT'], rows));
    return 0;
  },
};
