import { access, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { OsbuildError } from '../../model/index.ts';
import type { Command } from '../command.ts';

const configText = (schema: string): string => `# yaml-language-server: $schema=${schema}/build.schema.json
# This project builds on the one that came with osbuild. Machines and recipes of this folder override those of the
# base by name; everything else is inherited. \`osbuild recipes\` and \`osbuild machines\` show what there is.
base: osbuild

# os:
#   name: My OS
#   version: 1.0.0

# What every image has beside the base's recipes, and what it has not:
addRecipes:
  - hello
# removeRecipes: [openvpn]
`;

const recipeText = (schema: string): string => `# yaml-language-server: $schema=${schema}/recipe.schema.json
description: An example of a recipe of your own
packages:
  debian: []          # names of Debian packages, such as [htop]
# What stands in files/ is put into the image at the same place.
checks:
  - name: the greeting is there
    run: cat /usr/share/hello/greeting
    expect: hello
`;

export const init: Command = {
  name: 'init',
  usage: '[folder]',
  summary: 'Start a project of your own that builds on this one',
  options: {},
  arguments: { min: 0, max: 1 },
  async run({ words, cwd, home, out }) {
    const folder = resolve(cwd, words[0] ?? '.');
    const config = join(folder, 'build.config.yaml');
    if (await access(config).then(() => true, () => false)) {
      throw new OsbuildError('OSB_USAGE', `${config} is there already`, { hint: 'nothing was changed; name another folder' });
    }
    const schema = join(home, 'src', 'config', 'schemas');
    const files: Record<string, string> = {
      'build.config.yaml': configText(schema),
      'recipes/hello/recipe.yaml': recipeText(schema),
      'recipes/hello/files/usr/share/hello/greeting': 'hello from a project of my own\n',
      '.gitignore': 'out/\n',
    };
    for (const [path, text] of Object.entries(files)) {
      const file = join(folder, path);
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, text, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error; // the user's own file stays
      });
    }
    await mkdir(join(folder, 'machines'), { recursive: true });
    out(`${folder}: a project of your own. Next: osbuild image --machine raspberrypi3\n`);
    return 0;
  },
};
