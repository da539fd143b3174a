import { access, readdir } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';

import { OsbuildError, type Build, type MachineSource, type RecipeSource } from '../model/index.ts';
import { readNotYet, type NotYet } from './not-yet.ts';
import { scanSources } from './sources.ts';
import { nearest } from './suggest.ts';
import { readYaml } from './yaml.ts';

const configName = 'build.config.yaml';

/** A project folder with everything that it inherits: nearer folders override by name. */
export interface Project {
  /** Where build.config.yaml, locks and out/ are. */
  folder: string;
  build: Build;
  machines: Map<string, MachineSource>;
  /** Boards without a machine file, and why. */
  notYet: NotYet[];
  /** Recipe name → folder. */
  recipes: Map<string, string>;
}

/** The nearest folder at or above `start` that has a build.config.yaml, or null. */
export async function findProject(start: string): Promise<string | null> {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    if (await exists(join(folder, configName))) return folder;
    if (folder === dirname(folder)) return null;
  }
}

/**
 * Reads a project and its bases. `home` is the folder that came with the program, which `base: osbuild` stands for.
 * Throws OSB_CONFIG_MISSING and OSB_CONFIG_INVALID.
 */
export async function loadProject(folder: string, home: string): Promise<Project> {
  const layers = await layersOf(folder, home, []);
  const project: Project = { folder, build: {}, machines: new Map(), notYet: [], recipes: new Map() };
  for (const layer of layers) {
    project.build = mergeBuild(project.build, layer.build);
    for (const file of await names(join(layer.folder, 'machines'), '.yaml')) {
      const name = basename(file, '.yaml');
      project.machines.set(name, { name, file, machine: await readYaml('machine', file) });
    }
    project.notYet.push(...(await readNotYet(join(layer.folder, 'machines', 'not-yet.json'))));
    for (const file of await names(join(layer.folder, 'recipes'), '')) {
      if (await exists(join(file, 'recipe.yaml'))) project.recipes.set(basename(file), file);
    }
  }
  checkAliases(project);
  project.notYet = project.notYet.filter(({ name }) => !project.machines.has(name));
  return project;
}

interface Layer {
  folder: string;
  build: Build;
}

/** Furthest base first. */
async function layersOf(folder: string, home: string, seen: string[]): Promise<Layer[]> {
  if (seen.includes(folder)) throw new OsbuildError('OSB_CONFIG_INVALID', `${join(folder, configName)}: base: the bases form a circle: ${[...seen, folder].join(' → ')}`);
  const build = await readYaml('build', join(folder, configName));
  if (build.base === undefined) return [{ folder, build }];
  const base = build.base === 'osbuild' ? home : isAbsolute(build.base) ? build.base : resolve(folder, build.base);
  if (!(await exists(join(base, configName)))) {
    throw new OsbuildError('OSB_CONFIG_MISSING', `${join(folder, configName)}: base: there is no ${configName} in ${base}`, {
      hint: '`base: osbuild` names the project that came with the program',
    });
  }
  return [...(await layersOf(base, home, [...seen, folder])), { folder, build }];
}

/** A nearer layer's values win; its recipe list replaces the base's, add/remove change it. */
export function mergeBuild(base: Build, own: Build): Build {
  const { addRecipes = [], removeRecipes = [], base: _base, $schema: _schema, ...rest } = own;
  const merged: Build = {
    ...base,
    ...rest,
    os: { ...base.os, ...own.os },
    debian: { ...base.debian, ...own.debian },
    ...(base.yocto === undefined && own.yocto === undefined ? {} : { yocto: mergeYocto(base.yocto, own.yocto) }),
    ...(base.remoteBuilders === undefined && own.remoteBuilders === undefined ? {} : { remoteBuilders: { ...base.remoteBuilders, ...own.remoteBuilders } }),
    config: { ...base.config, ...own.config, os: { ...base.config?.os, ...own.config?.os } },
  };
  const recipes = own.recipes ?? base.recipes ?? [];
  merged.recipes = [...new Set([...recipes.filter((name) => !removeRecipes.includes(name)), ...addRecipes])];
  return merged;
}

/** Layers and variables are overridden one by one. */
function mergeYocto(base: Build['yocto'], own: Build['yocto']): NonNullable<Build['yocto']> {
  const sstate = base?.sstate === undefined && own?.sstate === undefined ? {} : { sstate: { ...base?.sstate, ...own?.sstate } };
  return { ...base, ...own, layers: { ...base?.layers, ...own?.layers }, settings: { ...base?.settings, ...own?.settings }, ...sstate };
}

/** The machine that a name or an alias stands for. Throws OSB_UNKNOWN_MACHINE with the nearest name, or with why there is none yet. */
export function findMachine(project: Project, name: string): MachineSource {
  const direct = project.machines.get(name);
  if (direct) return direct;
  const byAlias = [...project.machines.values()].find((machine) => machine.machine.aliases?.includes(name));
  if (byAlias) return byAlias;
  const notYet = project.notYet.find((board) => board.name === name);
  if (notYet) throw new OsbuildError('OSB_UNKNOWN_MACHINE', `no image can be built for ${notYet.description} yet. ${notYet.why}`, { hint: `what it takes: ${notYet.way}`, details: { machine: name, nearest: null } });
  const all = [...project.machines.values()].flatMap((machine) => [machine.name, ...(machine.machine.aliases ?? [])]);
  const near = nearest(name, all);
  throw new OsbuildError('OSB_UNKNOWN_MACHINE', `there is no machine called "${name}"`, {
    hint: near ? `did you mean "${near}"? \`osbuild machines\` lists all` : `known machines: ${all.toSorted().join(', ')}`,
    details: { machine: name, nearest: near },
  });
}

/**
 * The recipes of an image with all that they need, needed ones first. Throws OSB_UNKNOWN_RECIPE and OSB_RECIPE_CYCLE.
 */
export async function resolveRecipes(project: Project, wanted: readonly string[]): Promise<RecipeSource[]> {
  const done = new Map<string, RecipeSource>();
  const visit = async (name: string, path: string[]): Promise<void> => {
    if (done.has(name)) return;
    if (path.includes(name)) throw new OsbuildError('OSB_RECIPE_CYCLE', `recipes need each other in a circle: ${[...path, name].join(' → ')}`);
    const folder = project.recipes.get(name);
    if (folder === undefined) throw unknownRecipe(project, name, path);
    const recipe = await readYaml('recipe', join(folder, 'recipe.yaml'));
    for (const need of recipe.needs ?? []) await visit(need, [...path, name]);
    const files = await scanSources(folder, (file) => file === 'recipe.yaml');
    done.set(name, { name, recipe, folder, files });
  };
  for (const name of wanted) await visit(name, []);
  return [...done.values()];
}

function unknownRecipe(project: Project, name: string, path: string[]): OsbuildError {
  const near = nearest(name, project.recipes.keys());
  const by = path.length > 0 ? `, which ${path.at(-1)} needs` : '';
  return new OsbuildError('OSB_UNKNOWN_RECIPE', `there is no recipe called "${name}"${by}`, {
    hint: near ? `did you mean "${near}"? \`osbuild recipes\` lists all` : `known recipes: ${[...project.recipes.keys()].toSorted().join(', ')}`,
    details: { recipe: name, nearest: near },
  });
}

function checkAliases(project: Project): void {
  const owners = new Map<string, string>();
  for (const { name, file, machine } of project.machines.values()) {
    for (const alias of machine.aliases ?? []) {
      const other = project.machines.has(alias) ? alias : owners.get(alias);
      if (other !== undefined && other !== name) throw new OsbuildError('OSB_CONFIG_INVALID', `${file}: aliases: "${alias}" also stands for ${other}`);
      owners.set(alias, name);
    }
  }
}

/** Files of a folder with that ending, sorted, as absolute paths. */
async function names(folder: string, ending: string): Promise<string[]> {
  try {
    const entries = await readdir(folder);
    return entries.filter((name) => name.endsWith(ending) && !name.startsWith('.')).toSorted().map((name) => join(folder, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
