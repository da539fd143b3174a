import { access } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

import { githubWorkflow, gitlabPipeline, type FleetPipeline } from '../../ci/index.ts';
import { nearest, type Project } from '../../config/index.ts';
import { shellWord } from '../../exec/index.ts';
import { OsbuildError } from '../../model/index.ts';
import { chosenMode } from '../build/compose.ts';
import { fleet, machinesOption } from '../build/selection.ts';
import { chosenProvider } from '../build/yocto.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';
import { lockOptions } from './image.ts';

const writers = { github: githubWorkflow, gitlab: gitlabPipeline };

export const ci: Command = {
  name: 'ci',
  usage: 'github|gitlab [--machine <machine>]',
  summary: 'Write a pipeline that builds a fleet: one job a machine, with a shared cache and the images kept',
  details:
    '\nPrinted to standard output: `osbuild ci github > .github/workflows/images.yml`, `osbuild ci gitlab > .gitlab-ci.yml`. The cache is the\n' +
    "project's remoteCache, or what the variable OSBUILD_REMOTE_CACHE of the service names; only builds of the branch store there.",
  options: {
    ...machinesOption,
    ...lockOptions,
    osbuild: { type: 'string', value: 'path', help: 'the program, from the top of the repository (default: where it is, if inside)' },
    branch: { type: 'string', value: 'branch', help: 'branch whose builds may store in the shared cache (default: main)' },
  },
  arguments: { min: 1, max: 1 },
  async run(invocation) {
    const { words, flags, out } = invocation;
    const [service = ''] = words;
    const write = Object.hasOwn(writers, service) ? writers[service as keyof typeof writers] : undefined;
    if (write === undefined) {
      const near = nearest(service, Object.keys(writers));
      throw new OsbuildError('OSB_USAGE', `there is no pipeline for "${service}"`, { hint: near ? `did you mean ${near}?` : 'github or gitlab' });
    }
    const project = await openProject(invocation);
    const pipeline = await describe(invocation, project);
    const text = write(pipeline);
    out(flags.on('json') ? `${JSON.stringify({ type: 'pipeline', service, machines: pipeline.machines, text })}\n` : text);
    return 0;
  },
};

async function describe(invocation: Invocation, project: Project): Promise<FleetPipeline> {
  const { flags, home } = invocation;
  const provider = chosenProvider(invocation, project);
  const some = flags.texts('machine').length > 0;
  const all = [...project.machines.values()].filter(({ machine }) => provider === 'debian' || machine.yocto !== undefined);
  const machines = (some ? fleet(invocation, project) : all).map(({ name }) => name).toSorted();
  if (machines.length === 0) throw new OsbuildError('OSB_USAGE', `no machine of this project can be built by the ${provider} provider`);
  const mode = chosenMode(invocation, project);
  const branch = flags.text('branch') ?? 'main';
  // It stands in expressions of the services, which have quotes of their own.
  if (!/^[A-Za-z0-9._/-]+$/.test(branch)) throw new OsbuildError('OSB_USAGE', `"${branch}" cannot be the branch of a pipeline`);
  const top = await repositoryTop(project.folder);
  return { machines, provider, mode, branch, locked: flags.on('locked'), osbuild: program(flags.text('osbuild'), top, home), folder: relative(top, project.folder) || '.', remoteCache: project.build.remoteCache?.url ?? null };
}

/** The nearest folder above that has a .git, which is a file in worktrees and submodules; without one the project itself. */
async function repositoryTop(folder: string): Promise<string> {
  for (let above = folder; ; above = dirname(above)) {
    if (await access(join(above, '.git')).then(() => true, () => false)) return above;
    if (above === dirname(above)) return folder;
  }
}

function program(named: string | undefined, top: string, home: string): string {
  if (named !== undefined) return shellWord(named);
  const inside = relative(top, home);
  if (inside === '') return './osbuild';
  if (!inside.startsWith('..')) return `./${shellWord(join(inside, 'osbuild'))}`;
  throw new OsbuildError('OSB_USAGE', 'a CI job finds the program only inside of the repository, and this one is outside', { hint: 'add it as a submodule, or say with --osbuild what runs it there' });
}
