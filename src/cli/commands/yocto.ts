import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';

import { parse, stringify } from 'yaml';

import { loadProject } from '../../config/index.ts';
import { OsbuildError } from '../../model/index.ts';
import { buildTargets, importKas, kasProject, lacks, localConf, type YoctoInspection } from '../../providers/yocto/index.ts';
import { engineSources, imageRequest } from '../build/compose.ts';
import { machineOption, oneMachine } from '../build/selection.ts';
import { madeFile, Session } from '../build/session.ts';
import { planYoctoOnly, yoctoPorts, yoctoProject } from '../build/yocto.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';
import { table } from '../table.ts';
import { lockOptions } from './image.ts';

export const yocto: Command = {
  name: 'yocto',
  usage: 'inspect --machine <machine> | export-kas --machine <machine> | import-kas <file> | check-host',
  summary: 'The Yocto provider: what bitbake would build for a machine, kas files, or what this host lacks for bitbake',
  details: '\ninspect fetches the layers, has bitbake read all recipes and plan the image, and says which kernel, boot loader and recipes it would build; nothing is built. export-kas prints a file for kas (header version 14) with the same layers, MACHINE, DISTRO and variables; import-kas prints what build.config.yaml and a machine file say in place of one, with warnings for what has no counterpart. `osbuild image --provider yocto` builds.',
  options: { ...machineOption, mode: lockOptions.mode },
  arguments: { min: 1, max: 2 },
  async run(invocation) {
    const [word = '', file] = invocation.words;
    if (word === 'import-kas') return importKasFile(invocation, file);
    if (file !== undefined) throw new OsbuildError('OSB_USAGE', `osbuild yocto ${word} takes no further word: "${file}"`);
    if (word === 'inspect') return inspect(invocation);
    if (word === 'export-kas') return exportKas(invocation);
    if (word === 'check-host') return checkHost(invocation);
    throw new OsbuildError('OSB_USAGE', `osbuild yocto has no "${word}"`, { hint: 'inspect, export-kas, import-kas or check-host' });
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
    const seen = JSON.parse(await readFile(session.blobs.path(madeFile(results, plan).sha256), 'utf8')) as YoctoInspection;
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
      ['kernel', `${chosen(kernel)}${kernel === null || kernel.fragments.length === 0 ? '' : `, with ${kernel.fragments.filter((name) => name.startsWith('minke')).join(', ') || 'no fragments of ours'}`}`],
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

/** Results to standard output, warnings to standard error, so that a file can be made of the former. */
async function importKasFile({ cwd, home, emit, flags, out }: Invocation, word: string | undefined): Promise<number> {
  if (word === undefined) throw new OsbuildError('OSB_USAGE', 'which kas file?', { hint: 'osbuild yocto import-kas kas.yml' });
  const file = resolve(cwd, word);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new OsbuildError('OSB_USAGE', `${file} cannot be read`, { cause });
  });
  let kas: unknown;
  try {
    kas = parse(text);
  } catch (cause) {
    throw new OsbuildError('OSB_CONFIG_INVALID', `${file} is not YAML: ${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}`, { cause });
  }
  if (typeof kas !== 'object' || kas === null || Array.isArray(kas) || !('header' in kas)) throw new OsbuildError('OSB_CONFIG_INVALID', `${file} is no kas file: it has no header`);
  const { build, machine, warnings } = importKas(kas as Record<string, unknown>, { known: (await loadProject(home, home)).build.yocto?.layers ?? {} });
  for (const message of warnings) emit({ type: 'notice', level: 'warning', code: 'KAS_IMPORT', message });
  if (flags.on('json')) out(`${JSON.stringify({ type: 'kas-import', build: { yocto: build }, machine: { yocto: machine } })}\n`);
  else {
    out(`# For build.config.yaml, of ${basename(file)}\n${stringify({ yocto: build }, { lineWidth: 0 })}`);
    out(`\n# For the machine file, which also says what bitbake's kernel and boot loader are called\n${stringify({ yocto: machine }, { lineWidth: 0 }).replaceAll(/^(?=.)/gm, '# ')}`);
  }
  return 0;
}

async function checkHost(invocation: Invocation): Promise<number> {
  const { hostEnvironment, signal, flags, out, layout } = invocation;
  const found = await lacks({ hostEnvironment, signal, folder: `${layout.root}/yocto`, uid: yoctoPorts(invocation).uid });
  for (const { what, remedy } of found) out(flags.on('json') ? `${JSON.stringify({ type: 'lack', what, remedy })}\n` : `✖ ${what}\n    hint: ${remedy}\n`);
  if (found.length === 0 && !flags.on('json')) out('✔ bitbake can run on this host\n');
  return found.length === 0 ? 0 : 1;
}
