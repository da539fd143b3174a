import { bytesSize, formatRows, humanSizeWithPrecision, shortId, type Row } from '../../format/index.ts';
import { ApiError } from '../api/api-client.ts';
import { atLeast, type Command, type CommandContext } from '../command.ts';
import { inPath } from './each.ts';
import { listFormatFlag, noTruncFlag } from './shared-flags.ts';

interface CpuStats {
  readonly cpu_usage?: { readonly total_usage?: number; readonly percpu_usage?: readonly number[] | null };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
}

export interface ContainerStats {
  readonly id?: string;
  readonly name?: string;
  readonly cpu_stats?: CpuStats;
  readonly precpu_stats?: CpuStats;
  readonly memory_stats?: { readonly usage?: number; readonly limit?: number; readonly stats?: Readonly<Record<string, number>> };
  readonly networks?: Readonly<Record<string, { readonly rx_bytes: number; readonly tx_bytes: number }>>;
  readonly blkio_stats?: { readonly io_service_bytes_recursive?: ReadonlyArray<{ readonly op: string; readonly value: number }> | null };
  readonly pids_stats?: { readonly current?: number };
}

/** Share of one CPU in percent, between two samples. */
export function cpuPercent(stats: ContainerStats): number {
  const used = (stats.cpu_stats?.cpu_usage?.total_usage ?? 0) - (stats.precpu_stats?.cpu_usage?.total_usage ?? 0);
  const system = (stats.cpu_stats?.system_cpu_usage ?? 0) - (stats.precpu_stats?.system_cpu_usage ?? 0);
  const cpus = stats.cpu_stats?.online_cpus || stats.cpu_stats?.cpu_usage?.percpu_usage?.length || 1;
  return system > 0 && used > 0 ? used / system * cpus * 100 : 0;
}

/** Memory in use without the page cache that could be dropped (cgroup v1 and v2 name it differently). */
export function memoryInUse(stats: ContainerStats): number {
  const usage = stats.memory_stats?.usage ?? 0;
  const detail = stats.memory_stats?.stats ?? {};
  const cache = detail['total_inactive_file'] ?? detail['inactive_file'] ?? 0;
  return cache < usage ? usage - cache : usage;
}

const titles = {
  Container: 'CONTAINER', ID: 'CONTAINER ID', Name: 'NAME', CPUPerc: 'CPU %', MemUsage: 'MEM USAGE / LIMIT', MemPerc: 'MEM %', NetIO: 'NET I/O', BlockIO: 'BLOCK I/O', PIDs: 'PIDS',
};

export function statsRow(name: string, stats: ContainerStats | null, truncate: boolean): Row {
  if (!stats) return { Container: name, ID: shortId(name), Name: '--', CPUPerc: '--', MemUsage: '-- / --', MemPerc: '--', NetIO: '--', BlockIO: '--', PIDs: '--' };
  const memory = memoryInUse(stats);
  const limit = stats.memory_stats?.limit ?? 0;
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const networks = Object.values(stats.networks ?? {});
  const blocks = stats.blkio_stats?.io_service_bytes_recursive ?? [];
  const io = (op: string) => sum(blocks.filter((entry) => entry.op.toLowerCase() === op).map((entry) => entry.value));
  const pair = (a: number, b: number) => `${humanSizeWithPrecision(a, 3)} / ${humanSizeWithPrecision(b, 3)}`;
  return {
    Container: name, ID: truncate ? shortId(stats.id ?? name) : stats.id ?? name, Name: (stats.name ?? '').replace(/^\//, '') || '--',
    CPUPerc: `${cpuPercent(stats).toFixed(2)}%`, MemUsage: `${bytesSize(memory)} / ${bytesSize(limit)}`, MemPerc: `${(limit > 0 ? memory / limit * 100 : 0).toFixed(2)}%`,
    NetIO: pair(sum(networks.map((network) => network.rx_bytes)), sum(networks.map((network) => network.tx_bytes))), BlockIO: pair(io('read'), io('write')),
    PIDs: String(stats.pids_stats?.current ?? 0),
  };
}

/** A container may go away between two samples. */
function goneAsNull(error: unknown): null {
  if (error instanceof ApiError && (error.status === 409 || /no such container/i.test(error.reason))) return null;
  throw error;
}

const refreshMs = 1000;

async function stats(context: CommandContext): Promise<number> {
  const { api, flags, ports } = context;
  const names = async () => (context.args.length > 0 ? [...context.args] : (await api.get<Array<{ Id: string }>>('/containers/json', { all: flags.bool('all') || undefined })).map(({ Id }) => Id));
  const truncate = !flags.bool('no-trunc');
  const spec = { format: flags.string('format') || (context.config.formats['statsFormat'] ?? ''), titles, defaultTable: '{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}' };
  // Named containers must exist: the first failure is told before anything is drawn.
  for (const name of context.args) await api.get(`/containers/${inPath(name)}/json`);
  const sample = async (name: string) => statsRow(name, await api.get<ContainerStats>(`/containers/${inPath(name)}/stats`, { stream: false }).catch(goneAsNull), truncate);
  for (;;) {
    const rows = await Promise.all((await names()).map(sample));
    const text = formatRows(rows, spec);
    if (flags.bool('no-stream')) {
      await context.print(text);
      return 0;
    }
    await context.print(ports.stdout.isTty ? `\x1b[H${text.replaceAll('\n', '\x1b[K\n')}\x1b[J` : text);
    await ports.clock.sleep(refreshMs);
  }
}

export const statsCommand: Command = {
  path: ['container', 'stats'], aliases: [['stats']], usage: '[CONTAINER...]', summary: 'Show what containers use, as it changes', args: atLeast(0), completeArgs: 'running',
  flags: [
    { name: 'all', short: 'a', kind: 'bool', help: 'Show all containers, not only running ones' }, listFormatFlag,
    { name: 'no-stream', kind: 'bool', help: 'Show one sample and end' }, noTruncFlag,
  ],
  run: stats,
};
