import { CliError } from '../cli-error.ts';
import { atLeast, between, exactly, type Command } from '../command.ts';
import { parseMemoryBytes, parseNanoCpus } from '../flags/flag-kinds.ts';
import { parseRestartPolicy, restartProblem } from '../create/restart-policy.ts';
import { splitImageName } from '../output/image-name.ts';
import { forEachName, inPath } from './each.ts';
import { saveStream } from './image-actions.ts';

const changeLetters = ['C', 'A', 'D'];

export const diffCommand: Command = {
  path: ['container', 'diff'], aliases: [['diff']], usage: 'CONTAINER', summary: "Show what changed in a container's file system", flags: [], args: exactly(1), completeArgs: 'container',
  async run(context) {
    const changes = await context.api.get<Array<{ Path: string; Kind: number }> | null>(`/containers/${inPath(context.args[0] ?? '')}/changes`);
    await context.print((changes ?? []).map(({ Path, Kind }) => `${changeLetters[Kind] ?? '?'} ${Path}\n`).join(''));
    return 0;
  },
};

export const exportCommand: Command = {
  path: ['container', 'export'], aliases: [['export']], usage: 'CONTAINER', summary: "Write a container's file system to a tar archive", args: exactly(1), completeArgs: 'container',
  flags: [{ name: 'output', short: 'o', kind: 'string', help: 'File to write, instead of standard output', complete: 'file' }],
  async run(context) {
    await saveStream(context, context.flags.string('output'), 'GET', `/containers/${inPath(context.args[0] ?? '')}/export`, {});
    return 0;
  },
};

export const commitCommand: Command = {
  path: ['container', 'commit'], aliases: [['commit']], usage: 'CONTAINER [REPOSITORY[:TAG]]', summary: 'Make an image of a container', args: between(1, 2), completeArgs: 'container',
  flags: [
    { name: 'author', short: 'a', kind: 'string', help: 'Author of the image' },
    { name: 'change', short: 'c', kind: 'list', help: 'Apply a Dockerfile instruction' },
    { name: 'message', short: 'm', kind: 'string', help: 'Message of the commit' },
    { name: 'pause', short: 'p', kind: 'bool', help: 'Freeze the container meanwhile', default: 'true' },
  ],
  async run(context) {
    const { api, flags, args: [container = '', target = ''] } = context;
    const { repository, tag } = splitImageName(target);
    const { Id } = await api.post<{ Id: string }>('/commit', {
      query: { container, repo: repository, tag, author: flags.string('author'), comment: flags.string('message'), changes: flags.list('change'), pause: flags.bool('pause') },
      json: {},
    });
    await context.print(`${Id}\n`);
    return 0;
  },
};

export const updateCommand: Command = {
  path: ['container', 'update'], aliases: [['update']], usage: 'CONTAINER [CONTAINER...]', summary: 'Change limits of one or more containers', args: atLeast(1), completeArgs: 'container',
  flags: [
    { name: 'blkio-weight', kind: 'uint16', help: 'Relative weight for block devices, 10 to 1000, or 0 for none', default: '0' },
    { name: 'cpu-period', kind: 'int', help: 'Period of the CPU limit in microseconds', default: '0' },
    { name: 'cpu-quota', kind: 'int', help: 'CPU time in each period in microseconds', default: '0' },
    { name: 'cpu-shares', short: 'c', kind: 'int', help: 'Relative share of CPU time', default: '0' },
    { name: 'cpus', kind: 'decimal', help: 'Number of CPUs, such as 1.5' },
    { name: 'cpuset-cpus', kind: 'string', help: 'CPUs to run on (0-3, 0,1)' },
    { name: 'cpuset-mems', kind: 'string', help: 'Memory nodes to use (0-3, 0,1)' },
    { name: 'memory', short: 'm', kind: 'bytes', help: 'Memory limit', default: '0' },
    { name: 'memory-reservation', kind: 'bytes', help: 'Soft memory limit', default: '0' },
    { name: 'memory-swap', kind: 'bytes', help: 'Limit of memory and swap together; -1 for unlimited swap', default: '0' },
    { name: 'pids-limit', kind: 'int', help: 'Limit of processes; -1 for none', default: '0' },
    { name: 'restart', kind: 'string', help: 'When to start again', complete: ['no', 'on-failure', 'always', 'unless-stopped'], check: restartProblem },
  ],
  async run(context) {
    const { api, flags } = context;
    const names = ['blkio-weight', 'cpu-period', 'cpu-quota', 'cpu-shares', 'cpus', 'cpuset-cpus', 'cpuset-mems', 'memory', 'memory-reservation', 'memory-swap', 'pids-limit', 'restart'];
    if (!names.some((name) => flags.given(name))) throw new CliError('you must provide one or more flags when using this command');
    const int = (name: string) => flags.int(name) ?? 0;
    const size = (name: string) => (flags.string(name) === '-1' ? -1 : parseMemoryBytes(flags.string(name)) ?? 0);
    const json = {
      BlkioWeight: int('blkio-weight'), CpuPeriod: int('cpu-period'), CpuQuota: int('cpu-quota'), CpuShares: int('cpu-shares'),
      NanoCpus: flags.given('cpus') ? parseNanoCpus(flags.string('cpus')) ?? 0 : 0, CpusetCpus: flags.string('cpuset-cpus'), CpusetMems: flags.string('cpuset-mems'),
      Memory: size('memory'), MemoryReservation: size('memory-reservation'), MemorySwap: size('memory-swap'),
      ...(flags.given('pids-limit') ? { PidsLimit: int('pids-limit') } : {}),
      ...(flags.given('restart') ? { RestartPolicy: parseRestartPolicy(flags.string('restart')) } : {}),
    };
    return forEachName(context, async (name) => {
      const answer = await api.post<{ Warnings?: string[] | null }>(`/containers/${inPath(name)}/update`, { json });
      for (const warning of answer.Warnings ?? []) await context.warn(warning);
      return name;
    });
  },
};
