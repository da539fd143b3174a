import { OsbuildError, type AnyTask, type OutputRef } from '../../model/index.ts';
import type { Invocation } from '../command.ts';
import type { ComposedImage } from './compose.ts';
import type { DebianWorld } from './debian.ts';
import { busybox, emulation, planToolsTree } from './trees.ts';

/** The boot test of a composed image, as a task: it is cached by the image's key and, like every step, the sources of what carries it out. */
export async function planBootTest(built: ComposedImage, invocation: Invocation, world: DebianWorld): Promise<{ tasks: AnyTask[]; report: OutputRef }> {
  const { machine, request } = built;
  if (!machine.machine.qemu) {
    throw new OsbuildError('OSB_USAGE', `${machine.name} has no QEMU lane`, { hint: '`osbuild machines` shows which machines have one' });
  }
  const image = built.artifacts.find(({ fileName }) => fileName.endsWith('.img.zst'));
  if (!image) throw new Error('the image has no compressed disk among its artifacts');
  const options = { locked: invocation.flags.on('locked') };
  const qemu = await planToolsTree(emulation, invocation, world, options);
  const shell = await planToolsTree(busybox(machine.machine.arch), invocation, world, options);
  const task: AnyTask = {
    id: `device/${machine.name}/boot-test`,
    kind: 'device/boot-test',
    title: `Boot test of ${machine.name}`,
    args: { machineName: machine.name, machine: machine.machine, mode: request.mode, recipes: request.recipes.map(({ name, recipe }) => ({ name, recipe })) },
    inputs: {
      image: { from: 'task', ...image.ref },
      emulation: { from: 'tree', task: qemu.tree },
      busybox: { from: 'tree', task: shell.tree },
    },
    result: 'files',
  };
  return { tasks: [...qemu.tasks, ...shell.tasks, task], report: { task: task.id, output: 'report.json' } };
}
