import { basename, dirname } from 'node:path';

import { kernelOrigin, OsbuildError, type AnyTask, type DebianArchitecture, type ImageRequest, type Input, type Machine, type OutputRef, type ProvidedRoot, type SourceFile, type YoctoImageArgs } from '../../model/index.ts';
import { localConf } from './conf/local.ts';
import { bitbakeSource, type ResolvedLayer, type YoctoProject } from './layers/resolve.ts';
import { packagesOf, recipesWithoutPackages } from './packages.ts';
import { projectLayer } from './project-layer.ts';

export interface YoctoPlanOptions {
  /** What bitbake compiles the engine of: the bundle that one of our tasks makes, and the sources of the C host. */
  engine: { bundle: OutputRef; host: { root: string; files: SourceFile[] } } | null;
  /** Files of the layers that are folders of this machine, by layer name, and of layers/meta-minke by `meta-minke`. */
  sources: ReadonlyMap<string, { root: string; files: SourceFile[] }>;
}

export const ownLayer = 'meta-minke';

/** What bitbake is asked for. */
export function buildTargets(project: YoctoProject, machine: Machine): string[] {
  return [...new Set([project.image, project.initrdImage, 'virtual/kernel', ...(machine.yocto?.targets ?? [])])];
}

/**
 * Tasks that make the root filesystem and boot files of an image with bitbake. Pure.
 * @throws OSB_CONFIG_INVALID where a recipe or the machine leaves out what this provider needs
 */
export function planYoctoRoot(request: ImageRequest, project: YoctoProject, options: YoctoPlanOptions): ProvidedRoot {
  const { tasks, args, inputs } = planBuild(request, project, options);
  const { name } = request.machine;
  const image: AnyTask = { id: `yocto/${name}/image`, kind: 'yocto/image', title: `Build ${name} with bitbake`, args, inputs, result: 'files' };
  const output = (file: string): OutputRef => ({ task: image.id, output: file });
  return {
    tasks: [...tasks, image],
    rootfs: output('rootfs.tar'),
    kernel: output('vmlinuz'),
    deviceTrees: output('device-trees.tar'),
    bootLoader: output('boot-loader.tar'),
    modules: output('modules.tar'),
    initrdPackages: output('initrd-packages.tar'),
    manifest: output('manifest.json'),
  };
}

/** Tasks that have bitbake read all recipes and plan the same image, without building. Pure. */
export function planYoctoInspection(request: ImageRequest, project: YoctoProject, options: YoctoPlanOptions): { tasks: AnyTask[]; plan: OutputRef } {
  const { tasks, args, inputs } = planBuild(request, project, options);
  const { name } = request.machine;
  const inspect: AnyTask = { id: `yocto/${name}/inspect`, kind: 'yocto/inspect', title: `Plan ${name} with bitbake`, args, inputs, result: 'files' };
  return { tasks: [...tasks, inspect], plan: { task: inspect.id, output: 'plan.json' } };
}

/** The layers' tasks, and what bitbake is given of them, of the recipes and of the machine. */
function planBuild(request: ImageRequest, project: YoctoProject, { engine, sources }: YoctoPlanOptions): { tasks: AnyTask[]; args: YoctoImageArgs; inputs: Record<string, Input> } {
  const { machine, recipes } = request;
  const yocto = machine.machine.yocto;
  if (yocto === undefined) throw new Error(`${machine.name} has no yocto part`);
  const silent = recipesWithoutPackages(request);
  if (silent.length > 0) {
    throw new OsbuildError('OSB_CONFIG_INVALID', `these recipes name packages for Debian and none for Yocto: ${silent.join(', ')}`, { hint: 'add packages.yocto to each (an empty list where its files are all), or leave them out' });
  }
  checkDeviceTrees(machine.file, machine.machine);
  const wantsEngine = recipes.some(({ recipe }) => recipe.engine === true);
  const tasks: AnyTask[] = [];
  const inputs: Record<string, Input> = {};
  for (const layer of [project.bitbake, ...project.layers]) {
    const { source, name } = layer;
    if ('path' in source) inputs[`layer:${name}`] = sourceInput(sources, name);
    else {
      const task = planSource(layer, source, name === bitbakeSource ? null : project.release);
      tasks.push(task);
      inputs[`layer:${name}`] = { from: 'tree', task: task.id };
    }
  }
  inputs[`layer:${ownLayer}`] = sourceInput(sources, ownLayer);
  for (const { name, folder, files } of recipes) {
    const kept = files.filter(({ path }) => path.startsWith('files/') || path.startsWith(`files.${request.mode}/`));
    if (kept.length > 0) inputs[`recipe:${name}`] = { from: 'sources', root: folder, files: kept };
  }
  if (wantsEngine) {
    if (engine === null) throw new Error('a recipe wants the engine, but the plan has none');
    inputs['engine-bundle'] = { from: 'task', ...engine.bundle };
    inputs['engine-host'] = { from: 'sources', ...engine.host };
  }
  const args: YoctoImageArgs = {
    name: machine.name,
    release: project.release,
    machine: project.machine,
    layers: [...project.layers.map(({ name, folders }) => ({ name, folders })), { name: ownLayer, folders: ['.'] }],
    localConf: localConf(request, project),
    generated: projectLayer(request, project.release),
    image: project.image,
    initrdImage: project.initrdImage,
    targets: buildTargets(project, machine.machine),
    requiredModules: [...new Set([...packagesOf(request).kernelModules, ...(machine.machine.kernel.initrdModules ?? [])])].toSorted(),
    deploy: { kernel: yocto.kernel, deviceTrees: yocto.deviceTrees ?? {}, bootLoader: yocto.bootLoader ?? {} },
  };
  return { tasks, args, inputs };
}

/**
 * The machine as the image steps see it when bitbake made its parts: another architecture of the kernel needs other
 * words for the boot loader, another driver another name of the console.
 */
export function yoctoMachine(machine: Machine): Machine {
  const { kernelArchitecture, commandLine, firmwareConfig } = machine.yocto ?? {};
  const kernel = {
    ...(kernelArchitecture === undefined ? machine.kernel : withArchitecture(machine.kernel, kernelArchitecture)),
    ...(commandLine === undefined ? {} : { commandLine }),
  };
  if (machine.boot.method !== 'u-boot') return { ...machine, kernel };
  const { kernelCompression, ...boot } = machine.boot;
  const firmware = boot.firmware === undefined || firmwareConfig === undefined ? boot.firmware : { ...boot.firmware, config: firmwareConfig };
  // Only booti unpacks, and it is for 64-bit kernels alone.
  const packed = kernelCompression === undefined || kernelOrigin(kernel).architecture !== 'arm64' ? {} : { kernelCompression };
  return { ...machine, kernel, boot: { ...boot, ...packed, ...(firmware === undefined ? {} : { firmware }) } };
}

function withArchitecture({ debian, source, artifact, ...kernel }: Machine['kernel'], architecture: DebianArchitecture): Machine['kernel'] {
  return {
    ...kernel,
    ...(debian === undefined ? {} : { debian: { ...debian, architecture } }),
    ...(source === undefined ? {} : { source: { ...source, architecture } }),
    ...(artifact === undefined ? {} : { artifact: { ...artifact, architecture } }),
  };
}

/** The task that fetches one source of layers; `release` null: bitbake itself. */
export function planSource({ name, folders }: ResolvedLayer, source: { git: string; commit: string; branch: string | null }, release: string | null): AnyTask {
  return { id: `yocto/layers/${name}`, kind: 'yocto/layer', title: `Fetch layer ${name}`, args: { name, ...source, release, folders }, inputs: {}, result: 'tree' };
}

function sourceInput(sources: YoctoPlanOptions['sources'], name: string): Input {
  const source = sources.get(name);
  if (source === undefined) throw new Error(`the files of the layer ${name} were not listed`);
  return { from: 'sources', root: source.root, files: source.files };
}

function checkDeviceTrees(file: string, { kernel, yocto }: Machine): void {
  for (const wanted of kernel.deviceTrees ?? []) {
    if (yocto?.deviceTrees?.[wanted] !== undefined) continue;
    throw new OsbuildError('OSB_CONFIG_INVALID', `${file}: yocto.deviceTrees: it is not said which file of bitbake's is ${wanted}`, { hint: `${wanted}: ${basename(wanted)}, where the kernel has it in ${dirname(wanted)}` });
  }
}
