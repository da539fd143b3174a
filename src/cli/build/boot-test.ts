import { join } from 'node:path';

import { scanSources } from '../../config/index.ts';
import { hasBluetooth, hasRadio, takesRelease, type Suite } from '../../device/index.ts';
import { kernelHeadersEnd } from '../../image/index.ts';
import { OsbuildError, type AnyTask, type Machine, type OutputRef, type Recipe } from '../../model/index.ts';
import type { Invocation } from '../command.ts';
import { diskImage, flasherImage, osImage, type ComposedImage } from './compose.ts';
import type { DebianWorld } from './debian.ts';
import { bluetooth, busybox, emulation, moduleTools, planToolsTree } from './trees.ts';

const titles: Record<Suite, string> = { boot: 'Boot test', start: 'Test of the start', update: 'Test of updates', config: 'Test of configuration', network: 'Test of the network', field: 'Test of the field', damage: 'Test of damage', faults: 'Test of faults', 'secure-boot': 'Test of Secure Boot' };

/** A suite of tests of a composed image (`planned`: the tasks that make it), as a task: it is cached by the image's key and, like every step, the sources of what carries it out. */
export async function planBootTest(built: ComposedImage, suite: Suite, planned: readonly AnyTask[], invocation: Invocation, world: DebianWorld): Promise<{ tasks: AnyTask[]; report: OutputRef }> {
  const { machine, request } = built;
  if (!machine.machine.qemu) {
    throw new OsbuildError('OSB_USAGE', `${machine.name} has no QEMU lane`, { hint: '`osbuild machines` shows which machines have one' });
  }
  if (suite === 'secure-boot' && request.secureBoot?.enroll === undefined) {
    throw new OsbuildError('OSB_USAGE', `the image of ${machine.name} brings no keys of Secure Boot along`, { hint: 'secureBoot with enroll in build.config.yaml, for a machine with UEFI; `osbuild key secure-boot` makes the keys' });
  }
  const options = { locked: invocation.flags.on('locked') };
  const qemu = await planToolsTree(emulation, invocation, world, options);
  const shell = await planToolsTree(busybox(machine.machine.arch), invocation, world, options);
  const module = suite === 'boot' ? await planModule(built, invocation, world) : null;
  const radio = suite === 'network' && hasRadio(machine.machine, request.recipes) ? planRadio(built, planned) : null;
  const air = suite === 'start' && hasBluetooth(machine.machine, request.recipes) ? await planToolsTree(bluetooth, invocation, world, options) : null;
  const task: AnyTask = {
    id: `device/${machine.name}/${suite}-test`,
    kind: 'device/boot-test',
    title: `${titles[suite]} of ${machine.name}`,
    args: { machineName: machine.name, machine: tested(machine.machine), mode: request.mode, suite, recipes: request.recipes.map(({ name, recipe }) => ({ name, recipe: withoutYocto(recipe) })), ...(module === null ? {} : { module: true as const }), ...(radio === null ? {} : { radio: true as const }), ...(air === null ? {} : { bluetooth: true as const }) },
    inputs: {
      image: { from: 'task', ...diskImage(built).ref },
      ...(takesRelease(suite) ? { release: { from: 'task', ...osImage(built).ref } as const } : {}),
      ...(module === null ? {} : { module: { from: 'task', ...module.ref } as const }),
      ...(radio === null ? {} : { radio: { from: 'task', task: radio.id, output: 'modules.tar' } as const }),
      ...(air === null ? {} : { bluetooth: { from: 'tree', task: air.tree } as const }),
      emulation: { from: 'tree', task: qemu.tree },
      busybox: { from: 'tree', task: shell.tree },
    },
    result: 'files',
  };
  return { tasks: [...qemu.tasks, ...shell.tasks, ...(module?.tasks ?? []), ...(radio === null ? [] : [radio]), ...(air?.tasks ?? []), task], report: { task: task.id, output: 'report.json' } };
}

/** A module for the image's kernel, compiled against the headers that are published with it; null where there are none, or their programs do not run here. */
async function planModule({ machine, artifacts }: ComposedImage, invocation: Invocation, world: DebianWorld): Promise<{ tasks: AnyTask[]; ref: OutputRef } | null> {
  const headers = artifacts.find(({ fileName }) => fileName.endsWith(kernelHeadersEnd));
  if (headers === undefined || machine.machine.arch !== 'amd64') return null;
  const tools = await planToolsTree(moduleTools, invocation, world, { locked: invocation.flags.on('locked') });
  const root = join(invocation.home, 'src/device/module');
  const task: AnyTask = {
    id: `device/${machine.name}/kernel-module`,
    kind: 'device/kernel-module',
    title: `Compile a module for the kernel of ${machine.name}`,
    args: {},
    inputs: { headers: { from: 'task', ...headers.ref }, module: { from: 'sources', root, files: await scanSources(root, () => false) }, tools: { from: 'tree', task: tools.tree } },
    result: 'files',
  };
  return { tasks: [...tools.tasks, task], ref: { task: task.id, output: 'minke_probe.ko' } };
}

/** The module of virtual radios, which images leave out, of the very kernel of the image; null where another provider made that. */
function planRadio({ machine }: ComposedImage, planned: readonly AnyTask[]): AnyTask | null {
  const kernel = planned.find((task) => task.id === `debian/${machine.name}/kernel`);
  if (kernel?.kind !== 'debian/kernel') return null;
  const required = [{ module: 'mac80211_hwsim', askedBy: 'the test of the network' }];
  return { ...kernel, id: `device/${machine.name}/radio`, title: `Virtual radios for the kernel of ${machine.name}`, args: { ...kernel.args, modules: { exclude: ['**'], include: [] }, required, deviceTrees: [] } };
}

/** The test of an image's flasher, as a task. */
export async function planFlasherTest(built: ComposedImage, invocation: Invocation, world: DebianWorld): Promise<{ tasks: AnyTask[]; report: OutputRef }> {
  const { machine, request, preloaded } = built;
  const services = [...new Set(preloaded.flatMap((image) => image.services))].toSorted();
  const qemu = await planToolsTree(emulation, invocation, world, { locked: invocation.flags.on('locked') });
  const task: AnyTask = {
    id: `device/${machine.name}/flasher-test`,
    kind: 'device/flasher-test',
    title: `Test of the flasher of ${machine.name}`,
    args: { machineName: machine.name, machine: tested(machine.machine), mode: request.mode, ...(services.length > 0 ? { services } : {}) },
    inputs: { image: { from: 'task', ...diskImage(built).ref }, flasher: { from: 'task', ...flasherImage(built).ref }, emulation: { from: 'tree', task: qemu.tree } },
    result: 'files',
  };
  return { tasks: [...qemu.tasks, task], report: { task: task.id, output: 'report.json' } };
}

/** How bitbake makes a machine or a recipe's packages, and what was seen of it, is nothing to a test of the image: a change there must not run it again. */
function tested(machine: Machine): Machine {
  const { yocto: _yocto, flasher: _flasher, verified: _verified, ...rest } = machine;
  return rest;
}

function withoutYocto(recipe: Recipe): Recipe {
  const strip = (packages: Recipe['packages']): Recipe['packages'] => (packages?.debian === undefined ? undefined : { debian: packages.debian });
  const { packages, initrd, ...rest } = recipe;
  const kept = strip(packages);
  return {
    ...rest,
    ...(kept === undefined ? {} : { packages: kept }),
    ...(initrd === undefined ? {} : { initrd: { ...initrd, ...(initrd.packages === undefined ? {} : { packages: strip(initrd.packages) ?? {} }) } }),
  };
}
