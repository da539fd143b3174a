import { readFile } from 'node:fs/promises';

import { stringify } from 'yaml';

import { OsbuildError } from '../../model/index.ts';
import { buildTargets, kasProject, lacks, localConf, type YoctoInspection } from '../../providers/yocto/index.ts';
import { engineSources, imageRequest } from '../build/compose.ts';
import { machineOption, oneMachine } from '../build/selection.ts';
import { Session } from '../build/session.ts';
import { planYoctoOnly, yoctoPorts, yoctoProject } from '../build/yocto.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';
import { table } from '../table.ts';
import { lockOptions } from './image.ts';

export const yocto: Command = {
  name: 'yocto',
  usage: 'inspect --machine <machine> | export-kas --machine <machine> | check-host',
  summary: 'The Yocto provider: what bitbake would build for a machine, a kas file of it, or what this host lacks for bitbake',
  details: '\ninspect fetches the layers, has bitbake read all recipes and plan the image, and says which kernel, boot loader and recipes it would build; nothing is built. export-kas prints a file for kas (header version 14) with the same layers, MACHINE, DISTRO and variables. `osbuild image --provider yocto` builds.',
  options: { ...machineOption, mode: lockOptions.mode },
  arguments: { min: 1, max: 1 },
  async run(invocation) {
    const [word = ''] = invocation.words;
    if (word === 'inspect') return inspect(invocation);
    if (word === 'export-kas') return exportKas(invocation);
    if (word === 'check-host') return checkHost(invocation);
    throw new OsbuildError('OSB_USAGE', `osbuild yocto has no "${word}"`, { hint: 'inspect, export-kas or check-host' });
  },
};

async function inspect(invocation: Invocation): Promise<number> {
  const project = await openProject(invocation);
  const machine = oneMachine(invocation, project);
  const session = new Session(invocation, project);
  return session.attended(async () => {
    const request = await imageRequest(invocation, project, machine);
    const { tasks, plan } = await planYoctoOnly(invocation, project, request, await engineSources(invocation.home));
    const keyed = await session.key({ tasks, targets: [plan.task], epoch: request.epoch });
    const results = await session.run(keyed, machine.name);
    const blob = results.get(plan.task)?.files[plan.output];
    if (blob === undefined) throw new Error(`${plan.task} made no ${plan.output}`);
    const seen = JSON.parse(await readFile(session.blobs.path(blob.sha256), 'utf8')) as YoctoInspection;
    if (invocation.flags.on('json')) invocation.out(`${JSON.stringify({ type: 'inspection', ...seen })}\n`);
    else invocation.out(inspectionText(seen));
    return 0;
  });
}

function inspectionText({ name, machine, parsed, planned, kernel, bootLoader, recipes, warnings }: YoctoInspection): string {
  const chosen = (one: { recipe: string; version: string } | null): string => (one === null ? 'none' : `${one.recipe} ${one.version}`);
  const version = (recipe: string): string[][] => (recipes[recipe] === undefined ? [] : [[recipe, recipes[recipe]]]);
  return table(
    [name, `MACHINE ${machine}`],
    [
      ['recipes read', `${parsed.recipes}${parsed.masked === 0 ? '' : `, ${parsed.masked} left out by BBMASK`}; ${parsed.skipped} are not for this build; ${warnings} warnings`],
      ['planned', `${planned.target} recipes for the machine, ${planned.native} for the build host, ${planned.tasks} tasks`],
      ['kernel', chosen(kernel)],
      ['boot loader', chosen(bootLoader)],
      ...['glibc', 'systemd', 'minke-engine', 'crun', 'networkmanager'].flatMap(version),
    ],
  );
}

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
