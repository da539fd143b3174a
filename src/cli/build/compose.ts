import { join, resolve } from 'node:path';

import { resolveRecipes, scanSources, type Project } from '../../config/index.ts';
import { planFiles } from '../../downloads/index.ts';
import { ENGINE_VERSION } from '../../engine/version.ts';
import { planEngineBinary, planInitrdProgram, type EngineSources, type InitrdProgram } from '../../engine-binary/index.ts';
import { planEnginePackage } from '../../engine-package/index.ts';
import { planFlasher, planImage } from '../../image/index.ts';
import { OsbuildError, type AnyTask, type Arch, type ImageRequest, type MachineSource, type OutputRef, type PreloadedImage, type ProvidedRoot, type RecipeSource } from '../../model/index.ts';
import { machineRequest, planRoot } from '../../providers/debian/index.ts';
import { yoctoMachine } from '../../providers/yocto/index.ts';
import type { Invocation } from '../command.ts';
import { defaultComponents, defaultSuite, lockFor, machineLockFile, type DebianWorld } from './debian.ts';
import { preloadFor } from './preload.ts';
import type { Plan } from './session.ts';
import { readSecureBoot } from './secure-boot.ts';
import { readSigner } from './signer.ts';
import { planSources } from './sources.ts';
import { enginePrograms, imageTools, packager, planToolsTree, toolchain } from './trees.ts';
import { chosenProvider, planYocto, yoctoProject } from './yocto.ts';

/** One image of a plan. */
export interface ComposedImage {
  machine: MachineSource;
  request: ImageRequest;
  targets: string[];
  artifacts: { ref: OutputRef; fileName: string }[];
  /** Images of applications that it has from the start. */
  preloaded: PreloadedImage[];
}

export interface Composed {
  plan: Plan;
  images: ComposedImage[];
}

const defaultOs = { name: 'Minke OS', id: 'minke', version: '0.1.0' };

/** What an image is made of, from the project and the command's options. */
export async function imageRequest(invocation: Invocation, project: Project, machine: MachineSource): Promise<ImageRequest> {
  const { build } = project;
  const mode = chosenMode(invocation, project);
  const secureBoot = await readSecureBoot(project, machine.machine);
  return {
    machine,
    recipes: withoutModules(await resolveRecipes(project, [...(build.recipes ?? []), ...(machine.machine.recipes ?? [])]), machine.machine.kernel.missingModules ?? []),
    mode,
    os: { ...defaultOs, ...build.os },
    config: { ...build.config, developmentMode: mode === 'development' },
    signers: await Promise.all((build.updates?.signWith ?? []).map((path) => readSigner(resolve(project.folder, path)))),
    ...(secureBoot === undefined ? {} : { secureBoot }),
    epoch: build.epoch ?? 0,
    debian: { suite: build.debian?.suite ?? defaultSuite, components: build.debian?.components ?? defaultComponents, exclude: build.debian?.exclude ?? [] },
  };
}

/** @throws OSB_USAGE */
export function chosenMode({ flags }: Invocation, { build }: Project): ImageRequest['mode'] {
  const mode = flags.text('mode') ?? build.mode ?? 'development';
  if (mode !== 'development' && mode !== 'production') throw new OsbuildError('OSB_USAGE', `"${mode}" is not a mode`, { hint: 'development or production' });
  return mode;
}

/** The compressed disk among an image's artifacts, which its flasher has a like of. */
export function diskImage({ request, artifacts }: ComposedImage): ComposedImage['artifacts'][number] {
  return artifact({ artifacts }, `${request.os.version}.img.zst`);
}

/** How the file name of an OS image ends. */
export const osImageEnd = '.os.tar';

/** What devices that run the image's release are updated with. */
export const osImage = (built: ComposedImage): ComposedImage['artifacts'][number] => artifact(built, osImageEnd);

export const flasherImage = (built: ComposedImage): ComposedImage['artifacts'][number] => artifact(built, '-flasher.img.zst');

/** The artifact whose file name ends so. */
export function artifact({ artifacts }: Pick<ComposedImage, 'artifacts'>, end: string): ComposedImage['artifacts'][number] {
  const found = artifacts.find(({ fileName }) => fileName.endsWith(end));
  if (!found) throw new Error(`the image has no ${end} among its artifacts`);
  return found;
}

/** A kernel that lacks a module altogether must not be refused for it, where its machine says so. */
export function withoutModules(recipes: RecipeSource[], missing: readonly string[]): RecipeSource[] {
  if (missing.length === 0) return recipes;
  return recipes.map((source) => {
    const { kernelModules } = source.recipe;
    return kernelModules === undefined ? source : { ...source, recipe: { ...source.recipe, kernelModules: kernelModules.filter((name) => !missing.includes(name)) } };
  });
}

/** The composition root: everything that the images of some machines need, as one plan; with `flasher` the media that write them as well. */
export async function composeImages(invocation: Invocation, project: Project, machines: readonly MachineSource[], world: DebianWorld, { flasher = false } = {}): Promise<Composed> {
  const locked = invocation.flags.on('locked');
  const provider = chosenProvider(invocation, project);
  // What a person has to put right is said before anything is fetched.
  if (provider === 'yocto') for (const machine of machines) yoctoProject(project, machine);
  const tools = await planToolsTree(imageTools, invocation, world, { locked });
  const sources = await engineSources(invocation.home);
  const tasks: AnyTask[] = [...tools.tasks];
  const images: ComposedImage[] = [];
  for (const machine of machines) {
    const request = await imageRequest(invocation, project, machine);
    const root = await (provider === 'yocto' ? planYocto(invocation, project, request, sources) : planDebian(invocation, project, request, { tools: tools.tree, sources }, world, locked));
    const seen = provider === 'yocto' ? { ...request, machine: { ...machine, machine: yoctoMachine(machine.machine) } } : request;
    const preloaded = await preloadFor(invocation, project, request, world, locked, (arch) => planEngine(arch, sources, invocation, world, locked));
    const built = await planInitrdPrograms(request, sources, invocation, world, locked);
    const image = planImage(seen, root, { tools: tools.tree, initrdPrograms: built.programs }, preloaded?.preload);
    const medium = flasher ? planFlasher(seen, root, { tools: tools.tree }, image) : { tasks: [], artifacts: [] };
    const artifacts = [...image.artifacts, ...medium.artifacts];
    tasks.push(...root.tasks, ...built.tasks, ...(preloaded?.tasks ?? []), ...image.tasks, ...medium.tasks);
    images.push({ machine, request, targets: [...new Set(artifacts.map(({ ref }) => ref.task))], artifacts, preloaded: preloaded?.preload.images ?? [] });
  }
  const epoch = project.build.epoch ?? 0;
  return { plan: { tasks, targets: [...new Set(images.flatMap(({ targets }) => targets))], epoch }, images };
}

async function planDebian(invocation: Invocation, project: Project, request: ImageRequest, given: { tools: string; sources: EngineSources }, world: DebianWorld, locked: boolean): Promise<ProvidedRoot> {
  const { machine, recipes, debian } = request;
  const engine = await planEngine(machine.machine.arch, given.sources, invocation, world, locked);
  const { request: packages, askedBy } = machineRequest(machine, recipes);
  const wish = { title: `machine ${machine.name}`, request: packages, askedBy, suite: debian.suite, components: debian.components, file: machineLockFile(project, machine.name), locked, update: false };
  const lock = await lockFor(wish, world);
  const sources = await planSources(request, lock, invocation, world, locked);
  const files = planFiles(`download/${machine.name}/files`, `files of ${machine.name} by their addresses`, machine.machine.files ?? []);
  const { artifact } = machine.machine.kernel;
  const kernel = planFiles(`download/${machine.name}/kernel`, `kernel of ${machine.name} by its address`, artifact === undefined ? [] : [artifact]);
  const root = planRoot(request, lock, { tools: given.tools, engine: engine.binary, built: sources.built, headers: project.build.kernelHeaders ?? true, ...(files === null ? {} : { files: files.id }), ...(kernel === null ? {} : { artifact: kernel.id }) });
  return { ...root, tasks: [...engine.tasks, ...sources.tasks, ...[files, kernel].filter((task) => task !== null), ...root.tasks] };
}

/** The engine for one architecture with the toolchain that compiles it. */
export async function planEngine(arch: Arch, sources: EngineSources, invocation: Invocation, world: DebianWorld, locked: boolean) {
  const chain = await planToolsTree(toolchain(arch), invocation, world, { locked });
  const engine = planEngineBinary(arch, sources, chain.tree);
  return { ...engine, tasks: [...chain.tasks, ...engine.tasks] };
}

/** What maps slots in initrds, and what recipes ask for. The programs are static and need no library of the image: a root of either provider takes them. */
async function planInitrdPrograms({ machine, recipes }: ImageRequest, sources: EngineSources, invocation: Invocation, world: DebianWorld, locked: boolean): Promise<{ tasks: AnyTask[]; programs: Record<string, OutputRef> }> {
  const { arch } = machine.machine;
  const names = new Set<InitrdProgram>(['minke-verity', ...recipes.flatMap(({ recipe }) => recipe.initrd?.built ?? [])]);
  const chain = await planToolsTree(toolchain(arch), invocation, world, { locked });
  const planned = [...names].map((name) => ({ name, ...planInitrdProgram(name, arch, sources, chain.tree) }));
  return { tasks: [...chain.tasks, ...planned.flatMap(({ tasks }) => tasks)], programs: Object.fromEntries(planned.map(({ name, program }) => [name, program])) };
}

/** The engine's archive for one architecture, with the trees that it is made of. */
export async function planEngineArchive(arch: Arch, binary: OutputRef, invocation: Invocation, world: DebianWorld, locked: boolean) {
  const programs = await planToolsTree(enginePrograms(arch), invocation, world, { locked });
  const tools = await planToolsTree(packager, invocation, world, { locked });
  const debs = programs.tasks.find(({ kind }) => kind === 'debian/fetch')?.id;
  if (debs === undefined) throw new Error('nothing fetches the packages of the programs');
  const root = join(invocation.home, 'src/engine-package/files');
  const archive = planEnginePackage(arch, { version: ENGINE_VERSION, binary, programs: programs.tree, debs, packager: tools.tree, files: { root, files: await scanSources(root, () => false) } });
  return { ...archive, tasks: [...programs.tasks, ...tools.tasks, ...archive.tasks] };
}

export async function engineSources(home: string): Promise<EngineSources> {
  const below = async (folder: string, skip: (path: string) => boolean) => (await scanSources(join(home, folder), skip)).map((file) => ({ ...file, path: `${folder}/${file.path}` }));
  const host = await scanSources(join(home, 'src/host'), (path) => path.startsWith('types') || path.endsWith('.md'));
  const verityMap = await scanSources(join(home, 'src/verity-map'), () => false);
  const splash = await scanSources(join(home, 'src/splash'), () => false);
  // esbuild's own version decides bytes of the bundle; an installed program has its package.json, a checkout the same.
  const esbuild = await scanSources(join(home, 'node_modules/esbuild'), (path) => path !== 'package.json');
  return { home, engine: [...(await below('src/engine', () => false)), ...esbuild.map((file) => ({ ...file, path: `node_modules/esbuild/${file.path}` }))], host, verityMap, splash };
}
