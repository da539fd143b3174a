import { readFile, writeFile } from 'node:fs/promises';
import { OsbuildError, type Executor, type PackageManifest, type StepContext } from '../../../model/index.ts';
import { addTar, addTarWithDigests, deliverTree, digestsOf, exists, listFolder, newEntry, putFile, putFolder, putLink, readText, type KnownDigests, type RootTree } from '../tar/index.ts';
import type { PackageControl } from '../unpack/deb.ts';
import { uncoveredScripts } from '../checks/coverage.ts';
import { accountFiles, applySysusers, parseAccounts, type Accounts, type SysusersLine } from './accounts.ts';
import { placeAlternatives } from './alternatives.ts';
import { writeIdentity } from './identity.ts';
import { writePamFiles } from './pam.ts';
import { addRecipeFiles, addRecipeLinks, applyRecipeEdits, applyRecipeModes, statePaths, type RecipeFiles } from './recipes.ts';
import { applyUnits } from './units.ts';

type Context = StepContext<'debian/finish'>;

/** Executor of `debian/finish`: what maintainer scripts would have done, then the recipes' own part. */
export const finish: Executor<'debian/finish'> = async (context) => {
  const { args, epoch } = context;
  const tree: RootTree = new Map();
  const known: KnownDigests = new Map();
  for (const input of ['files', 'modules', 'databases']) {
    if (!(input in context.task.inputs)) continue;
    if (`${input}-digests` in context.task.inputs) await addTarWithDigests(tree, known, context.input(input), context.input(`${input}-digests`));
    else addTar(tree, context.input(input));
  }
  const control = JSON.parse(await readFile(context.input('control'), 'utf8')) as PackageControl[];

  applyPackageDefaults(tree, control);
  for (const recipe of args.recipes) applyRecipeEdits(tree, recipe);
  for (const recipe of args.recipes) await addRecipeFiles(tree, recipeFiles(context, recipe.name), args.mode);
  for (const recipe of args.recipes) if (recipe.engine === true) putFile(tree, 'usr/bin/minke', await readFile(context.input('engine')), { mode: 0o755 });
  for (const recipe of args.recipes) addRecipeLinks(tree, recipe, args.mode);
  const accounts = makeAccounts(tree, args.recipes);
  for (const [name, text] of Object.entries(accountFiles(accounts, epoch))) {
    const secret = name.endsWith('shadow');
    putFile(tree, `etc/${name}`, text, secret ? { mode: 0o640, gid: accounts.groups.get('shadow')?.gid ?? 0 } : {});
  }
  writeIdentity(tree, args, epoch);
  for (const recipe of args.recipes) applyRecipeModes(tree, recipe, args.mode, accounts);
  applyUnits(
    tree,
    args.recipes.map((recipe) => ({
      origin: `recipe ${recipe.name}`,
      enable: [...(recipe.units?.enable ?? []), ...(recipe[args.mode]?.units?.enable ?? [])],
      disable: [...(recipe.units?.disable ?? []), ...(recipe[args.mode]?.units?.disable ?? [])],
      mask: [...(recipe.units?.mask ?? []), ...(recipe[args.mode]?.units?.mask ?? [])],
    })),
  );
  putFile(tree, 'usr/lib/minke/state.list', statePaths(tree, args.recipes, accounts));
  const manifest = await mergeManifests(context);
  const manifestText = `${JSON.stringify(manifest, null, 1)}\n`;
  putFile(tree, 'usr/share/minke/packages.json', manifestText);
  clampTimes(tree, epoch);
  reportUncovered(context, control);

  // Without an entry of its own mkfs.erofs makes the root folder writable for everyone.
  tree.set('', { entry: newEntry('', 'folder', { mtime: epoch }), content: null });
  const totalBytes = [...tree.values()].reduce((sum, { entry }) => sum + entry.sizeBytes, 0);
  await deliverTree(context, 'rootfs.tar', tree, (doneBytes) => context.progress(doneBytes, totalBytes, 'bytes'));
  await writeFile(context.output('digests.json'), JSON.stringify(digestsOf(tree, known)));
  await writeFile(context.output('manifest.json'), manifestText);
};

/** What packages would have made of their own defaults, before any recipe changes it. */
function applyPackageDefaults(tree: RootTree, control: PackageControl[]): void {
  placeAlternatives(tree, control.map(({ scripts }) => scripts['postinst'] ?? ''));
  writePamFiles(tree);
  const defaults: [from: string, to: string][] = [
    ['usr/share/libc-bin/nsswitch.conf', 'etc/nsswitch.conf'],
    ['usr/share/base-files/profile', 'etc/profile'],
    ['usr/share/base-files/motd', 'etc/motd'],
    ['usr/share/base-files/dot.bashrc', 'root/.bashrc'],
    ['usr/share/base-files/dot.profile', 'root/.profile'],
    ['etc/inputrc', 'etc/inputrc'],
    ['usr/share/readline/inputrc', 'etc/inputrc'],
  ];
  for (const [from, to] of defaults) {
    const text = readText(tree, from);
    if (text !== null && !tree.has(to)) putFile(tree, to, text);
  }
  // dpkg makes the folders that packages only claim by their postinst; these every Debian system has.
  for (const folder of ['usr/local/bin', 'usr/local/sbin', 'usr/local/lib', 'usr/local/share', 'usr/local/etc', 'var/log', 'var/lib', 'var/cache', 'home', 'opt', 'srv', 'media']) {
    if (!exists(tree, folder)) putFolder(tree, folder);
  }
  putFolder(tree, 'root', { mode: 0o700 });
  if (!tree.has('etc/localtime') && exists(tree, 'usr/share/zoneinfo/Etc/UTC')) putLink(tree, 'etc/localtime', '/usr/share/zoneinfo/Etc/UTC');
}

function makeAccounts(tree: RootTree, recipes: { name: string; users?: string[] }[]): Accounts {
  const accounts = parseAccounts(
    readText(tree, 'usr/share/base-passwd/passwd.master') ?? 'root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
    readText(tree, 'usr/share/base-passwd/group.master') ?? 'root:*:0:\nnogroup:*:65534:\n',
  );
  const lines: SysusersLine[] = [];
  const seen = new Set<string>();
  for (const folder of ['etc/sysusers.d', 'usr/lib/sysusers.d']) {
    for (const name of listFolder(tree, folder)) {
      if (!name.endsWith('.conf') || seen.has(name)) continue;
      seen.add(name);
      for (const text of (readText(tree, `${folder}/${name}`) ?? '').split('\n')) {
        if (/^\s*[^#\s]/.test(text)) lines.push({ text, origin: `/${folder}/${name}` });
      }
    }
  }
  for (const recipe of recipes) for (const text of recipe.users ?? []) lines.push({ text, origin: `recipe ${recipe.name}` });
  applySysusers(accounts, lines);
  return accounts;
}

function recipeFiles(context: Context, name: string): RecipeFiles {
  const input = context.task.inputs[`recipe:${name}`];
  if (input === undefined || input.from !== 'sources') return { paths: new Map(), types: new Map() };
  return { paths: context.inputs(`recipe:${name}`), types: new Map(input.files.map(({ path, type }) => [path, type])) };
}

/** One line a package, whichever part of the image holds it. */
async function mergeManifests(context: Context): Promise<PackageManifest> {
  const merged = new Map<string, PackageManifest['packages'][number]>();
  for (const name of Object.keys(context.task.inputs).filter((input) => input.startsWith('packages:')).toSorted()) {
    const { packages } = JSON.parse(await readFile(context.input(name), 'utf8')) as PackageManifest;
    for (const item of packages) {
      const key = `${item.name}:${item.architecture}`;
      const known = merged.get(key);
      if (known === undefined || known.installedBytes < item.installedBytes) merged.set(key, item);
    }
  }
  return { packages: [...merged].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item) };
}

/** Times of the packages are kept as far as they are not after the epoch; what has none gets the epoch. */
function clampTimes(tree: RootTree, epoch: number): void {
  for (const [key, node] of tree) {
    const { mtime } = node.entry;
    if (mtime === 0 || mtime > epoch) tree.set(key, { ...node, entry: { ...node.entry, mtime: epoch } });
  }
}

function reportUncovered(context: Context, control: PackageControl[]): void {
  const covered = new Set(context.args.recipes.flatMap(({ finish: entries }) => (entries ?? []).map((entry) => entry.package)));
  const uncovered = uncoveredScripts(control, covered);
  if (uncovered.length === 0) return;
  const error = new OsbuildError('OSB_SCRIPT_UNCOVERED', `Maintainer scripts that nothing stands in for: ${uncovered.map((item) => `${item.package} (${item.script}: ${item.lines[0] ?? ''})`).join('; ')}`);
  for (const item of uncovered) context.log(`not covered: ${item.package} ${item.script}: ${item.lines.join(' | ')}`);
  context.notice('warning', error.code, error.message, 'Look at what they do; do it in the recipe that names the package, and say so under `finish`.');
}
