import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { OsbuildError } from '../../model/index.ts';
import { authenticatedVariable, certificatePem, makeCertificate, signatureList, type KeyVariable, type Signer } from '../../secure-boot/index.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';

const recipe = 'update-keys';
const recipeText = `description: Public keys of those who make releases of this project. A device takes signed releases alone as soon as there is one.
needs: [updates]
`;

export const key: Command = {
  name: 'key',
  usage: 'new <name> | secure-boot',
  summary: 'Make a key that signs releases, or those of Secure Boot',
  details: `
new: the private key (keys/<name>.pem) and the recipe by which devices trust it. A second key, trusted and signed with from now on, is how the first one can be left behind later.
secure-boot: keys and certificates PK, KEK and db (keys/secure-boot), and the files that give them to a firmware (keys/secure-boot/enroll).
Private keys are yours to keep: they are not put into images, and keys/.gitignore keeps them out of git.`,
  options: {},
  arguments: { min: 1, max: 2 },
  async run(invocation) {
    const [verb, name] = invocation.words;
    if (verb === 'secure-boot' && name === undefined) return secureBoot(invocation);
    if (verb !== 'new' || name === undefined) throw new OsbuildError('OSB_USAGE', `"${invocation.words.join(' ')}" is nothing that osbuild key does`, { hint: 'osbuild key new <name>, or osbuild key secure-boot' });
    return signsReleases(invocation, name);
  },
};

async function signsReleases(invocation: Invocation, name: string): Promise<number> {
  if (!/^[a-z0-9][a-z0-9.-]{0,63}$/.test(name) || name === 'secure-boot') throw new OsbuildError('OSB_USAGE', `"${name}" is no name of a key`, { hint: 'small letters, digits, dots and hyphens' });
  const { folder } = await openProject(invocation);
  const file = join(folder, 'keys', `${name}.pem`);
  const trusted = join(folder, 'recipes', recipe, 'files/usr/lib/minke/os/keys', `${name}.pem`);
  // PKCS #1 v1.5: the same release gives the same signature.
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 3072, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
  await writeNew(`a key ${name}`, [{ path: file, content: privateKey, mode: 0o600 }, { path: trusted, content: publicKey }]);
  await keepOutOfGit(folder);
  await writeFile(join(folder, 'recipes', recipe, 'recipe.yaml'), recipeText);
  invocation.out(`${file}: signs releases; keep a copy where it is safe\n${trusted}: what devices trust\n`);
  invocation.out(`\nIn build.config.yaml:\n\naddRecipes: [${recipe}]\nupdates: { signWith: [keys/${name}.pem] }\n`);
  return 0;
}

/** The owner's key PK signs KEK, which signs db, which signs what is started. */
async function secureBoot(invocation: Invocation): Promise<number> {
  const { folder, build } = await openProject(invocation);
  const place = join(folder, 'keys/secure-boot');
  const now = new Date();
  const made = (['PK', 'KEK', 'db'] as const).map((variable) => ({ variable, signer: makeCertificate(`${build.os?.name ?? 'Minke OS'} ${variable}`, now) }));
  const by = (variable: KeyVariable): Signer => made.find((one) => one.variable === variable)?.signer ?? missing(variable);
  const signedBy: Record<KeyVariable, KeyVariable> = { PK: 'PK', KEK: 'PK', db: 'KEK' };
  await writeNew('a set of keys of Secure Boot', made.flatMap(({ variable, signer: { key: privateKey, certificate } }) => [
    { path: join(place, `${variable}.pem`), content: pem(privateKey), mode: 0o600 },
    { path: join(place, `${variable}.crt`), content: certificatePem(certificate) },
    { path: join(place, 'enroll', `${variable}.auth`), content: authenticatedVariable(variable, signatureList(certificate), by(signedBy[variable]), now) },
  ]));
  await keepOutOfGit(folder);
  invocation.out(`${place}: PK.pem, KEK.pem and db.pem are private; keep copies where they are safe\n${join(place, 'enroll')}: gives a firmware the certificates\n`);
  invocation.out('\nIn build.config.yaml:\n\nsecureBoot:\n  key: keys/secure-boot/db.pem\n  certificate: keys/secure-boot/db.crt\n  enroll: keys/secure-boot/enroll\n');
  return 0;
}

/** Files that must not be there yet: a key is not written over. @throws OSB_USAGE */
async function writeNew(what: string, files: readonly { path: string; content: string | Buffer; mode?: number }[]): Promise<void> {
  for (const { path } of files) await mkdir(dirname(path), { recursive: true });
  try {
    for (const { path, content, mode } of files) await writeFile(path, content, { flag: 'wx', ...(mode === undefined ? {} : { mode }) });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new OsbuildError('OSB_USAGE', `there is ${what} already: ${(cause as NodeJS.ErrnoException).path ?? ''}`, { hint: 'another name, or move it away', cause });
  }
}

const keepOutOfGit = (folder: string): Promise<void> => writeFile(join(folder, 'keys', '.gitignore'), '*.pem\n');

const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string;

function missing(variable: string): never {
  throw new Error(`no key ${variable}`);
}
