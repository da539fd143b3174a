import type { Command } from '../command.ts';
import { openProject } from '../project.ts';
import { table } from '../table.ts';

export const machines: Command = {
  name: 'machines',
  usage: '',
  summary: 'List the machines that images can be built for',
  options: {},
  arguments: { min: 0, max: 0 },
  async run(invocation) {
    const project = await openProject(invocation);
    const all = [...project.machines.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
    if (invocation.flags.on('json')) {
      for (const { name, file, machine } of all) invocation.out(`${JSON.stringify({ name, file, ...machine })}\n`);
      return 0;
    }
    const rows = all.map(({ name, machine }) => [
      [name, ...(machine.aliases ?? [])].join(', '),
      machine.arch,
      machine.boot.method,
      machine.qemu ? `${machine.qemu.system} ${machine.qemu.machine}` : '–',
      machine.description,
    ]);
    invocation.out(table(['MACHINE', 'ARCH', 'BOOT', 'QEMU', 'BOARD'], rows));
    return 0;
  },
};
