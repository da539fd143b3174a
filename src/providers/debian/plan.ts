import { debianArchitectures, type AnyTask, type DebianArchitecture, type DebianLock, type ImageRequest, type Input, type KernelArtifact, type LockedPackage, type LockedSource, type Machine, type OutputRef, type ProvidedRoot, type RecipeSource, type SourceFile } from '../../model/index.ts';
import { mainSet, packagesOfSet } from './apt/resolve.ts';
import { lockedHeaders } from './kernel/headers.ts';

export interface ImagePlanOptions {
  /** Task of the tools tree that has the programs of `finishTools`. */
  tools: string;
  /** The engine's binary for the machine; needed when a recipe has `engine: true`. */
  engine: OutputRef | null;
  /** What is made from source instead of unpacked, by tasks of others; null where the machine asks for none. */
  built?: BuiltParts;
  /** Whether the kernel's headers are wanted as well. */
  headers: boolean;
  /** Task of the step download/files that brings what the machine names by address. */
  files?: string;
  /** The same for the archive of kernel.artifact. */
  artifact?: string;
}

/** Outputs of source builds. */
export interface BuiltParts {
  /** kernel.tar of source/kernel. */
  kernel: OutputRef | null;
  /** boot-loader.tar and copyright of source/u-boot, with what they were made of. */
  bootLoader: { tar: OutputRef; copyright: OutputRef; source: LockedSource; architecture: DebianArchitecture } | null;
}

/** Programs that the steps of this provider call in the tools tree, as Debian packages. */
export const finishTools: readonly string[] = ['coreutils', 'dash', 'findutils', 'kmod', 'openssl', 'qemu-user', 'udev', 'xz-utils', 'zstd'];

/** Sources of recipes that the compiled databases depend on. */
const databaseSources = /^files(\.\w+)?\/(etc\/udev\/hwdb\.d|usr\/lib\/udev\/hwdb\.d|usr\/local\/share\/ca-certificates|etc\/ld\.so\.conf\.d)\//;

/** Tasks that make a tools tree of a lock. Pure. */
export function planTree({ id, title, lock }: { id: string; title: string; lock: DebianLock }): { tasks: AnyTask[]; tree: string } {
  const packages = plain(packagesOfSet(lock, mainSet));
  const fetch = `${id}/fetch`;
  const tree = `${id}/tree`;
  return {
    tree,
    tasks: [
      fetchTask(fetch, title, packages),
      { id: tree, kind: 'debian/tree', title: `Unpack ${title}`, args: { architecture: lock.request.architecture, packages }, inputs: { debs: { from: 'task-files', task: fetch } }, result: 'tree' },
    ],
  };
}

/** Tasks that make the root filesystem and boot files of an image. Pure. */
export function planRoot(request: ImageRequest, lock: DebianLock, { tools, engine, built, headers: wantsHeaders, files, artifact }: ImagePlanOptions): ProvidedRoot {
  const { machine, recipes, mode } = request;
  const id = (part: string): string => `debian/${machine.name}/${part}`;
  const set = (name: string): LockedPackage[] => plain(packagesOfSet(lock, name));
  const root = set(lock.request.sets?.[mode] === undefined ? mainSet : mode);
  const debs = (part: string): Record<string, Input> => ({ debs: { from: 'task-files', task: id(`fetch-${part}`) } });
  const from = (part: string, output: string): Input => ({ from: 'task', task: id(part), output });
  const toolsInput: Record<string, Input> = { tools: { from: 'tree', task: tools } };
  const exclude = [...request.debian.exclude, ...recipes.flatMap(({ recipe }) => recipe.exclude ?? [])];
  const parts: [part: string, title: string, packages: LockedPackage[]][] = [
    ['root', `packages of ${machine.name}`, root],
    ...(artifact === undefined ? [['kernel', `kernel of ${machine.name}`, set('kernel')] satisfies [string, string, LockedPackage[]]] : []),
    ['boot-loader', `boot loader of ${machine.name}`, set('bootLoader')],
    ['initrd', `initrd packages of ${machine.name}`, set('initrd')],
  ];
  const loader = built?.bootLoader;
  const headers = wantsHeaders ? plain(lockedHeaders(lock)) : [];
  if (headers.length > 0) parts.push(['kernel-headers', `kernel headers of ${machine.name}`, headers]);
  const tasks: AnyTask[] = parts.map(([part, title, packages]) => fetchTask(id(`fetch-${part}`), title, packages));
  tasks.push(
    { id: id('files'), kind: 'debian/unpack', title: `Unpack packages of ${machine.name}`, args: { packages: root, exclude }, inputs: debs('root'), result: 'files' },
    {
      id: id('initrd-files'),
      kind: 'debian/unpack',
      title: `Unpack initrd packages of ${machine.name}`,
      args: { packages: set('initrd'), exclude: ['/usr/share/{doc,man,locale,info,lintian}/**'] },
      inputs: debs('initrd'),
      result: 'files',
    },
    {
      id: id('kernel'),
      kind: 'debian/kernel',
      title: `Unpack kernel of ${machine.name}`,
      args: { packages: set('kernel'), modules: { exclude: machine.machine.kernel.modules?.exclude ?? [], include: machine.machine.kernel.modules?.include ?? [] }, required: requiredModules(request), deviceTrees: machine.machine.kernel.deviceTrees ?? [], ...(artifact === undefined ? {} : { artifact: kernelArtifact(machine.machine) }) },
      inputs: { ...(artifact === undefined ? debs('kernel') : { artifact: { from: 'task-files' as const, task: artifact } }), ...toolsInput, ...refInput('built', built?.kernel) },
      result: 'files',
    },
    { id: id('boot-loader'), kind: 'debian/boot-loader', title: `Unpack boot loader of ${machine.name}`, args: { packages: set('bootLoader'), ...(loader ? { built: { source: loader.source, architecture: loader.architecture } } : {}), ...(files === undefined ? {} : { files: (machine.machine.files ?? []).map(({ target: _target, ...file }) => file) }) }, inputs: { ...debs('boot-loader'), ...(files === undefined ? {} : { files: { from: 'task-files' as const, task: files } }), ...refInput('built', loader?.tar), ...refInput('copyright', loader?.copyright) }, result: 'files' },
    {
      id: id('databases'),
      kind: 'debian/databases',
      title: `Compile databases of ${machine.name}`,
      args: { architecture: debianArchitectures[machine.machine.arch] },
      inputs: { files: from('files', 'files.tar'), ...toolsInput, ...sourceInputs(recipes, 'sources:', ({ path }) => databaseSources.test(path)) },
      result: 'files',
    },
    finishTask(request, id, from, engine),
  );
  if (headers.length > 0) tasks.push({ id: id('kernel-headers'), kind: 'debian/kernel-headers', title: `Pack kernel headers of ${machine.name}`, args: { packages: headers }, inputs: { ...debs('kernel-headers'), ...toolsInput }, result: 'files' });
  return {
    tasks,
    rootfs: { task: id('root'), output: 'rootfs.tar' },
    digests: { task: id('root'), output: 'digests.json' },
    kernel: { task: id('kernel'), output: 'vmlinuz' },
    deviceTrees: { task: id('kernel'), output: 'device-trees.tar' },
    bootLoader: { task: id('boot-loader'), output: 'boot-loader.tar' },
    modules: { task: id('kernel'), output: 'modules.tar' },
    ...(headers.length === 0 ? {} : { kernelHeaders: { task: id('kernel-headers'), output: 'kernel-headers.tar.zst' } }),
    initrdPackages: { task: id('initrd-files'), output: 'files.tar' },
    manifest: { task: id('root'), output: 'manifest.json' },
  };
}

function finishTask({ machine, recipes, mode, os }: ImageRequest, id: (part: string) => string, from: (part: string, output: string) => Input, engine: OutputRef | null): AnyTask {
  const wantsEngine = recipes.some(({ recipe }) => recipe.engine === true);
  if (wantsEngine && engine === null) throw new Error('a recipe wants the engine, but the plan has none');
  return {
    id: id('root'),
    kind: 'debian/finish',
    title: `Finish root of ${machine.name}`,
    args: {
      mode,
      machine: machine.name,
      os,
      recipes: recipes.map(({ name, recipe }) => {
        const { edits, files, units, users, state, links, statoverrides, finish, engine: hasEngine, development, production } = recipe;
        const part = mode === 'development' ? { development } : { production };
        return dropUndefined({ name, edits, files, units, users, state, links, statoverrides, finish, engine: hasEngine, ...part });
      }),
    },
    inputs: {
      files: from('files', 'files.tar'),
      'files-digests': from('files', 'files.tar.digests'),
      modules: from('kernel', 'modules.tar'),
      'modules-digests': from('kernel', 'modules.tar.digests'),
      databases: from('databases', 'databases.tar'),
      control: from('files', 'control.json'),
      'packages:root': from('files', 'packages.json'),
      'packages:kernel': from('kernel', 'packages.json'),
      'packages:boot-loader': from('boot-loader', 'packages.json'),
      'packages:initrd': from('initrd-files', 'packages.json'),
      ...sourceInputs(recipes, 'recipe:', ({ path }) => path.startsWith('files/') || path.startsWith(`files.${mode}/`)),
      ...(wantsEngine && engine !== null ? { engine: { from: 'task' as const, task: engine.task, output: engine.output } } : {}),
    },
    result: 'files',
  };
}

function kernelArtifact({ kernel, boot }: Machine): KernelArtifact {
  if (kernel.artifact === undefined) throw new Error('the archive of a kernel is fetched that the machine does not name');
  const { release = null, image = null, modules = null, deviceTrees = null, ...rest } = kernel.artifact;
  return { ...rest, loader: boot.method, release, image, modules, deviceTrees };
}

function refInput(name: string, ref: OutputRef | null | undefined): Record<string, Input> {
  return ref ? { [name]: { from: 'task', task: ref.task, output: ref.output } } : {};
}

/** Loads packages, or the files of source packages: `<sha256>.deb` each. */
export function fetchTask(id: string, title: string, packages: LockedPackage[]): AnyTask {
  return { id, kind: 'debian/fetch', title: `Fetch ${title}`, args: { packages }, inputs: {}, result: 'files' };
}

/** Modules that must be in the image: those that recipes and initrd recipes name, and the machine's for its initrd. */
function requiredModules({ machine, recipes }: ImageRequest): { module: string; askedBy: string }[] {
  const wanted = new Map<string, string>();
  const want = (modules: string[] | undefined, askedBy: string): void => {
    for (const module of modules ?? []) if (!wanted.has(module)) wanted.set(module, askedBy);
  };
  for (const { name, recipe } of recipes) {
    want(recipe.kernelModules, `recipe ${name}`);
    want(recipe.initrd?.modules, `recipe ${name}`);
  }
  want(machine.machine.kernel.initrdModules, `machine ${machine.name}`);
  return [...wanted].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([module, askedBy]) => ({ module, askedBy }));
}

function sourceInputs(recipes: RecipeSource[], prefix: string, chosen: (file: SourceFile) => boolean): Record<string, Input> {
  const inputs: Record<string, Input> = {};
  for (const { name, folder, files } of recipes) {
    const kept = files.filter(chosen);
    if (kept.length > 0) inputs[`${prefix}${name}`] = { from: 'sources', root: folder, files: kept };
  }
  return inputs;
}

/** Sets are the lock's affair: a package's tasks must not run again because another set wants it too. */
function plain(packages: LockedPackage[]): LockedPackage[] {
  return packages.map(({ sets: _sets, ...locked }) => locked);
}

function dropUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
}
