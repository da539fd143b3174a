import { cgroupPath, isLive, readStatistics, ZERO_TIME, type ContainerStatistics } from '../containers/index.ts';
import type { ApiContext } from './context.ts';
import { param, sendJson, type ApiRequest } from './request.ts';

const INTERVAL_MS = 1000;

export async function stats({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const { system, collection, cgroupVersion } = containers;
  const { exchange, query } = request;
  const container = collection.find(param(request, 'id'));
  const { record } = container;
  let before: { at: string; cpu: ContainerStatistics['cpu'] } | undefined;
  const sample = (): Record<string, unknown> => {
    const at = new Date(system.clock.now()).toISOString();
    if (!isLive(record.state)) return { id: record.id, name: `/${record.name}`, read: ZERO_TIME, preread: ZERO_TIME, cpu_stats: {}, precpu_stats: {}, memory_stats: {}, pids_stats: {}, blkio_stats: {} };
    const now = readStatistics(system.files, cgroupPath(record), record.state.pid, cgroupVersion, system.machine.memoryBytes());
    const view = {
      id: record.id, name: `/${record.name}`, read: at, preread: before?.at ?? ZERO_TIME, num_procs: 0, storage_stats: {},
      pids_stats: { current: now.pids.current, ...(now.pids.limit === undefined ? {} : { limit: now.pids.limit }) },
      blkio_stats: { io_service_bytes_recursive: now.blockIo },
      cpu_stats: cpuView(now.cpu, system.machine.processorCount()),
      precpu_stats: before === undefined ? {} : cpuView(before.cpu, system.machine.processorCount()),
      memory_stats: { usage: now.memory.usageBytes, limit: now.memory.limitBytes, stats: now.memory.details },
      networks: now.network,
    };
    before = { at, cpu: now.cpu };
    return view;
  };
  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      let forget: () => void = () => undefined;
      const cancel = system.clock.after(INTERVAL_MS, () => {
        forget();
        resolve();
      });
      forget = exchange.gone.onCancel(() => {
        cancel();
        resolve();
      });
    });
  if (!query.flag('stream', true)) {
    // Without one-shot, clients want a rate at once: two samples.
    if (!query.flag('one-shot')) {
      sample();
      await pause();
    }
    await sendJson(request, 200, sample());
    return;
  }
  const stream = await exchange.stream(200, { 'Content-Type': 'application/json' });
  while (!exchange.gone.cancelled && record.state.status !== 'removing') {
    await stream.write(`${JSON.stringify(sample())}\n`);
    await pause();
  }
  await stream.end();
}

function cpuView(cpu: ContainerStatistics['cpu'], processors: number): Record<string, unknown> {
  return {
    cpu_usage: { total_usage: cpu.totalNs, usage_in_kernelmode: cpu.kernelNs, usage_in_usermode: cpu.userNs },
    system_cpu_usage: cpu.systemNs, online_cpus: processors, throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
  };
}
