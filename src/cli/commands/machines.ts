import type { Command } from '../command.ts';
import { openProject } from '../project.ts';
import { table } from '../table.ts';

export const machines: Command = {
  name: 'machines',
  usage: '',
  summary: 'List the machines that images can be built for, what was verified of each, and the boards that are not possible yet',
  details: '\nVERIFIED: board (on the hardware), emulated (this image booted on an emulation of its own board), family (booted on an emulation of a board of the same family), userland (same kernel package and userland booted as a virtual machine), layout (built, boot areas and files checked, nothing booted). docs/machines.md tells more.\nWith --json a line for each machine, then one whose only key is notYet: the boards that are not possible yet, each with name, description, arch, why, and the way to it.',
  options: {},
  arguments: { min: 0, max: 0 },
  async run(invocation) {
    const project = await openProject(invocation);
    const all = [...project.machines.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
    if (invocation.flags.on('json')) {
      for (const { name, file, machine } of all) invocation.out(`${JSON.stringify({ name, file, ...machine })}\n`);
      // In one line, without a name of its own: whoever goes through the machines does not take such a board for one.
      invocation.out(`${JSON.stringify({ notYet: project.notYet })}\n`);
      return 0;
    }
    const rows = all.map(({ name, machine }) => [
      [name, ...(machine.aliases ?? [])].join(', '),
      machine.arch,
      machine.boot.method,
      machine.qemu ? `${machine.qemu.system} ${machine.qemu.machine}` : '–',
      machine.verified?.level ?? '–',
      machine.description,
    ]);
    invocation.out(table(['MACHINE', 'ARCH', 'BOOT', 'QEMU', 'VERIFIED', 'BOARD'], rows));
    if (project.notYet.length > 0) {
      invocation.out(`\nNot possible yet:\n\n${table(['BOARD', 'ARCH', 'WHY'], project.notYet.map(({ name, arch, why }) => [name, arch, why]))}`);
    }
    return 0;
  },
};
