import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadProject, resolveRecipes } from '../../../../src/config/index.ts';
import type { AnyTask, DebianLock, Executor, Executors, ImageRequest, MachineSource } from '../../../../src/model/index.ts';
import { finishTools, machineRequest, planRoot, planTree, resolveNow } from '../../../../src/providers/debian/index.ts';
import { addTar, readText, type RootTree } from '../../../../src/providers/debian/tar/index.ts';
import { uncoveredScripts } from '../../../../src/providers/debian/checks/coverage.ts';
import type { PackageControl } from '../../../../src/providers/debian/unpack/deb.ts';
import { projectFolder, providerBuild, type ProviderBuild } from '../../../support/provider-build.ts';
import { compareRoots, pathsOfOthers, unexplained, type Explanation } from './compare.ts';

// The finish step against reality: the packages of the amd64 machine, once with their maintainer scripts run by mmdebstrap,
// once finished by us with the recipes' own part (nothing excluded). Every difference has its reason in differences.yaml.

const cacheFolder = process.env['OSBUILD_CACHE_DIR'] ?? path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'osbuild');
const suite = 'trixie';
const components: [string, ...string[]] = ['main', 'non-free-firmware'];
const explanationFile = path.join(import.meta.dirname, 'differences.yaml');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'osbuild-reality-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the finished root is what maintainer scripts make, but for explained differences', { timeout: 900_000 }, async (context) => {
  const unfit = whyNot();
  if (unfit !== null) context.skip(unfit);
  const program: Executor<'engine/compile'> = (step) => Promise.resolve(copyFileSync('/usr/bin/true', step.output('minke')));
  const build = providerBuild(cacheFolder, { extra: { 'engine/compile': { version: 1, run: program } } as Partial<Executors> });
  const request = await plainRequest();
  const { request: wanted, askedBy } = machineRequest(request.machine, request.recipes);
  const lock = await resolveNow({ title: 'reality', request: { ...wanted, sets: {}, foreign: [] }, askedBy, suite, components }, build.ports);
  const scripted = await scriptedRoot(lock, build);
  const { root: ours, control } = await ownRoot(request, lock, build);

  const { explanations, packages } = parse(readFileSync(explanationFile, 'utf8')) as { explanations: Explanation[]; packages: Record<string, string> };
  const names = new Set(lock.packages.map(({ name }) => name));
  const others = pathsOfOthers(scripted, names);
  const unknown = [...others.keys()].filter((name) => packages[name] === undefined);
  const ofOthers = new Set([...others.values()].flatMap((paths) => [...paths]));
  const ofRecipes = recipePaths(request);
  const all = compareRoots(scripted, ours).filter(({ path: place, kind }) => (kind === 'missing' ? !ofOthers.has(place) : !ofRecipes.has(place)));
  const { differences, unused } = unexplained(all, explanations);
  if (process.env['OSBUILD_TEST_KEEP'] !== undefined) writeFileSync(process.env['OSBUILD_TEST_KEEP'], differences.map((item) => `${item.kind} ${item.path} ${item.detail}\n`).join(''));
  expect({ differences: differences.map(({ path: place, kind, detail }) => `${kind} ${place} ${detail}`), packages: unknown, unused: unused.map((item) => item.path) }).toEqual({ differences: [], packages: [], unused: [] });

  // Of the same real package set: every maintainer script is covered by the finish step or explained by a recipe.
  const covered = new Set(request.recipes.flatMap(({ recipe }) => (recipe.finish ?? []).map((entry) => entry.package)));
  expect(uncoveredScripts(control, covered)).toEqual([]);
  expect(uncoveredScripts(control, new Set()).map((item) => item.package)).toContain('base-passwd');
  expect(readText(ours, 'etc/passwd')).toMatch(/^root:x:0:0:/);
});

function whyNot(): string | null {
  if (process.arch !== 'x64') return 'this comparison is for amd64 hosts';
  try {
    execFileSync('mmdebstrap', ['--version'], { stdio: 'ignore' });
  } catch {
    return 'mmdebstrap, which makes the root to compare with, is not installed';
  }
  return process.getuid?.() === 0 ? null : 'mmdebstrap needs root here';
}

/** The recipes of every image on an amd64 machine, with nothing excluded, so that all that differs is seen. */
async function plainRequest(): Promise<ImageRequest> {
  const project = await loadProject(projectFolder, projectFolder);
  const recipes = await resolveRecipes(project, project.build.recipes ?? []);
  const machine: MachineSource = {
    name: 'reality',
    file: '',
    machine: { description: 'none', arch: 'amd64', kernel: { debian: { package: 'linux-image-amd64', architecture: 'amd64' } }, boot: { method: 'systemd-boot', package: { package: 'systemd-boot-efi', architecture: 'amd64' }, efiName: 'BOOTX64.EFI' }, disk: { table: 'gpt' } },
  };
  return { machine, recipes: recipes.map((item) => ({ ...item, recipe: { ...item.recipe, exclude: [] } })), mode: 'production', os: { name: 'Minke OS', id: 'minke', version: '0' }, config: {}, signers: [], epoch: 1793491200, debian: { suite, components, exclude: [] } };
}

/** Paths that recipes bring themselves, with the folders above those: what differs there is what the recipe says. */
function recipePaths({ recipes, mode }: ImageRequest): Set<string> {
  const paths = recipes.flatMap(({ recipe, files }) => [
    ...files.flatMap(({ path: file }) => (/^files(\.production)?\//.test(file) ? [file.replace(/^files(\.\w+)?/, '')] : [])),
    ...(recipe.edits ?? []).map((edit) => edit.path),
    ...Object.keys({ ...recipe.links, ...recipe[mode]?.links }),
    ...Object.keys({ ...recipe.files, ...recipe[mode]?.files }).map((place) => place.replace(/\/$/, '')),
  ]);
  const all = new Set(paths);
  for (const place of paths) for (let slash = place.lastIndexOf('/'); slash > 0; slash = place.lastIndexOf('/', slash - 1)) all.add(place.slice(0, slash));
  return all;
}

/** A root with the same packages, made by mmdebstrap: their scripts have run. */
async function scriptedRoot(lock: DebianLock, build: ProviderBuild): Promise<RootTree> {
  const { archives, options } = await build.ports.apt();
  const file = path.join(folder, 'scripted.tar');
  const line = (uri: string, name: string): string => `deb ${uri} ${name} ${components.join(' ')}`;
  const argv = ['mmdebstrap', '--variant=essential', `--include=${lock.packages.map(({ name }) => name).join(',')}`, `--keyring=${build.ports.keyring}`, ...options.map((option) => `--aptopt=${option}`), suite, file];
  const result = await build.ports.run([...argv, line(archives.main, suite), line(archives.main, `${suite}-updates`), line(archives.security, `${suite}-security`)], { env: { SOURCE_DATE_EPOCH: '1793491200' } });
  if (result.exitCode !== 0) throw new Error(`mmdebstrap failed: ${result.stderr.slice(-2000)}`);
  const tree: RootTree = new Map();
  addTar(tree, file);
  return tree;
}

/** Our finished root of that very lock, without a kernel. */
async function ownRoot(request: ImageRequest, lock: DebianLock, build: ProviderBuild): Promise<{ root: RootTree; control: PackageControl[] }> {
  const toolsLock = await resolveNow({ title: 'tools', request: { architecture: 'amd64', foreign: [], packages: [...finishTools] }, suite, components }, build.ports);
  const tools = planTree({ id: 'reality/tools', title: 'tools', lock: toolsLock });
  const engine: AnyTask = { id: 'engine', kind: 'engine/compile', title: 'engine', args: { arch: 'amd64' }, inputs: {}, result: 'files' };
  const plan = planRoot(request, lock, { tools: tools.tree, headers: false, engine: { task: 'engine', output: 'minke' } });
  const left = /\/(kernel|fetch-kernel|boot-loader|fetch-boot-loader|initrd-files|fetch-initrd)$/;
  const tasks = plan.tasks.filter(({ id }) => !left.test(id)).map((task) => ({ ...task, inputs: Object.fromEntries(Object.entries(task.inputs).filter(([, input]) => !('task' in input) || !left.test(input.task))) }) as AnyTask);
  const files = tasks.find(({ kind }) => kind === 'debian/unpack')?.id ?? '';
  const made = await build.run([...tools.tasks, engine, ...tasks], [plan.rootfs.task, files]);
  const tree: RootTree = new Map();
  addTar(tree, made.get(`${plan.rootfs.task}/rootfs.tar`) ?? '');
  return { root: tree, control: JSON.parse(readFileSync(made.get(`${files}/control.json`) ?? '', 'utf8')) as PackageControl[] };
}
