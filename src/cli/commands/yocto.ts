import { stringify } from 'yaml';

import { OsbuildError } from '../../model/index.ts';
import { buildTargets, kasProject, lacks, localConf } from '../../providers/yocto/index.ts';
import { imageRequest } from '../build/compose.ts';
import { machineOption, oneMachine } from '../build/selection.ts';
import { yoctoPorts, yoctoProject } from '../build/yocto.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';
import { lockOptions } from './image.ts';

export const yocto: Command = {
  name: 'yocto',
  usage: 'export-kas --machine <machine> | check-host',
  summary: 'The Yocto provider: write a kas file of a machine, or say what this host lacks for bitbake',
  details: '\nexport-kas prints a file for kas (header version 14) with the same layers, MACHINE, DISTRO and variables. `osbuild image --provider yocto` builds.',
  options: { ...machineOption, mode: lockOptions.mode },
  arguments: { min: 1, max: 1 },
  async run(invocation) {
    const [word = ''] = invocation.words;
    if (word === 'export-kas') return exportKas(invocation);
    if (word === 'check-host') return checkHost(invocation);
    throw new OsbuildError('OSB_USAGE', `osbuild yocto has no "${word}"`, { hint: 'export-kas or check-host' });
  },
};

async function exportKas(invocation: Invocation): Promise<number> {
  const project = await openProject(invocation);
  const machine = oneMachine(invocation, project);
  const resolved = yoctoProject(project, machine);
  const request = await imageRequest(invocation, project, machine);
  const kas = kasProject(resolved, localConf(request, resolved), buildTargets(resolved, machine.machine));
  if (invocation.flags.on('json')) invocation.out(`${JSON.stringify(kas)}\n`);
  else invocation.out(`# Written by osbuild yocto export-kas --machine ${machine.name}\n${stringify(kas, { lineWidth: 0 })}`);
  return 0;
}

async function checkHost(invocation: Invocation): Promise<number> {
  const { hostEnvironment, signal, flags, out, layout } = invocation;
  const found = await lacks({ hostEnvironment, signal, folder: `${layout.root}/yocto`, uid: yoctoPorts(invocation).uid });
  for (const { what, remedy } of found) out(flags.on('json') ? `${JSON.stringify({ type: 'lack', what, remedy })}\n` : `✖ ${what}\n    hint: ${remedy}\n`);
  if (found.length === 0 && !flags.on('json')) out('✔ bitbake can run on this host\n');
  return found.length === 0 ? 0 : 1;
}
