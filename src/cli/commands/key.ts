import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { OsbuildError } from '../../model/index.ts';
import type { Command } from '../command.ts';
import { openProject } from '../project.ts';

const recipe = 'update-keys';
const recipeText = `description: Public keys of those who make releases of this project. A device takes signed releases alone as soon as there is one.
needs: [updates]
`;

export const key: Command = {
  name: 'key',
  usage: 'new <name>',
  summary: 'Make a key that signs releases, and the recipe by which devices trust it',
  details: '\nThe private key (keys/<name>.pem) is yours to keep: it is not put into images, and keys/.gitignore keeps it out of git.\nA second key, trusted and signed with from now on, is how the first one can be left behind later.',
  options: {},
  arguments: { min: 2, max: 2 },
  async run(invocation) {
    const [verb, name = ''] = invocation.words;
    if (verb !== 'new') throw new OsbuildError('OSB_USAGE', `"${verb}" is nothing that osbuild key does`, { hint: 'osbuild key new <name>' });
    if (!/^[a-z0-9][a-z0-9.-]{0,63}$/.test(name)) throw new OsbuildError('OSB_USAGE', `"${name}" is no name of a key`, { hint: 'small letters, digits, dots and hyphens' });
    const { folder } = await openProject(invocation);
    const file = join(folder, 'keys', `${name}.pem`);
    const trusted = join(folder, 'recipes', recipe, 'files/usr/lib/minke/os/keys', `${name}.pem`);
    // PKCS #1 v1.5: the same release gives the same signature.
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 3072, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
    for (const path of [file, trusted]) await mkdir(dirname(path), { recursive: true });
    try {
      await writeFile(file, privateKey, { mode: 0o600, flag: 'wx' });
      await writeFile(trusted, publicKey, { flag: 'wx' });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      throw new OsbuildError('OSB_USAGE', `there is a key ${name} already: ${(cause as NodeJS.ErrnoException).path ?? file}`, { hint: 'another name', cause });
    }
    await writeFile(join(folder, 'keys', '.gitignore'), '*.pem\n');
    await writeFile(join(folder, 'recipes', recipe, 'recipe.yaml'), recipeText);
    invocation.out(`${file}: signs releases; keep a copy where it is safe\n${trusted}: what devices trust\n`);
    invocation.out(`\nIn build.config.yaml:\n\naddRecipes: [${recipe}]\nupdates: { signWith: [keys/${name}.pem] }\n`);
    return 0;
  },
};
