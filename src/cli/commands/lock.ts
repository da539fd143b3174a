import { access } from 'node:fs/promises';


import { OsbuildError } from '../../model/index.ts';
import { ensureLock, machineRequest } from '../../providers/debian/index.ts';
import { imageRequest } from '../build/compose.ts';
import { machineLockFile } from '../build/debian.ts';
import { machineNames, machineOption } from '../build/selection.ts';
import { printLockDiff } from '../build/lock-diff.ts';
import { Session } from '../build/session.ts';
import { planToolsTree } from '../build/trees.ts';
import type { Command } from '../command.ts';
import { openProject } from '../project.ts';
import { treeSpecs } from './tools.ts';

export const lock: Command = {
  name: 'lock',
  usage: '[--machine <machine>] | --diff <before> <after>',
  summary: 'Write the exact package versions that images are built from',
  details: '\nWithout --machine: all machines of the project. An entry is resolved anew only where recipes ask for other packages, or with --update.',
  options: {
    ...machineOption,
    update: { type: 'boolean', short: 'u', help: 'take the newest versions, security updates among them' },
    tools: { type: 'boolean', help: 'the tools trees instead of machines' },
    diff: { type: 'boolean', help: 'compare two lock files: packages, and the maintainer scripts that changed' },
  },
  arguments: { min: 0, max: 2 },
  async run(invocation) {
    const { flags, out, home } = invocation;
    const project = await openProject(invocation);
    const session = new Session(invocation, project);
    const update = flags.on('update');
    if (!flags.on('diff') && invocation.words.length > 0) throw new OsbuildError('OSB_USAGE', `lock takes no "${invocation.words[0] ?? ''}"`, { hint: 'name machines with --machine, or compare two lock files with --diff' });
    return session.attended(async () => {
      if (flags.on('diff')) return printLockDiff(invocation, session);
      if (flags.on('tools')) {
        if (project.folder !== home) throw new OsbuildError('OSB_USAGE', 'the locks of the tools trees belong to the program itself', { hint: 'run this in its checkout' });
        for (const spec of treeSpecs) {
          await planToolsTree(spec, invocation, session.world, { locked: false, update: true });
          out(`${spec.name}\n`);
        }
        return 0;
      }
      const machines = flags.texts('machine').length > 0 ? machineNames(invocation, project) : [...project.machines.values()];
      for (const machine of machines) {
        const { recipes, debian } = await imageRequest(invocation, project, machine);
        const { request, askedBy } = machineRequest(machine, recipes);
        const file = machineLockFile(project, machine.name);
        const wish = { title: `machine ${machine.name}`, request, askedBy, suite: debian.suite, components: debian.components, file, locked: false };
        // A lock that still answers is left as it is; otherwise what a build would use today is written down.
        const missing = !(await access(file).then(() => true, () => false));
        let now = await ensureLock({ ...wish, update: update || missing }, session.world.ports);
        if (now.refreshed && !update && !missing) now = await ensureLock({ ...wish, update: true }, session.world.ports);
        const { refreshed } = now;
        if (flags.on('json')) out(`${JSON.stringify({ type: 'lock', machine: machine.name, file, changed: refreshed, packages: now.lock.packages.length })}\n`);
        else out(`${file}: ${refreshed ? 'written' : 'unchanged'}, ${now.lock.packages.length} packages\n`);
      }
      return 0;
    });
  },
};
