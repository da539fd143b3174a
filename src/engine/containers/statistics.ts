import type { Files } from '../ports/index.ts';

export interface CpuTimes {
  totalNs: number;
  userNs: number;
  kernelNs: number;
  /** Of the whole machine. */
  systemNs: number;
}

export interface ContainerStatistics {
  cpu: CpuTimes;
  memory: { usageBytes: number; limitBytes: number; details: Record<string, number> };
  pids: { current: number; limit: number | undefined };
  network: Record<string, Record<string, number>>;
  blockIo: { major: number; minor: number; op: string; value: number }[];
}

const TICK_NS = 10_000_000;

/** Reads a container's counters from its cgroup and the network namespace of its first process. */
export function readStatistics(files: Files, cgroup: string, pid: number, cgroupVersion: 1 | 2, machineMemoryBytes: number): ContainerStatistics {
  const network = parseNetDev(read(files, `/proc/${pid}/net/dev`));
  const systemNs = systemTimeNs(read(files, '/proc/stat'));
  const limited = (text: string): number => Math.min(machineMemoryBytes, number(text) ?? machineMemoryBytes);
  if (cgroupVersion === 2) {
    const file = (name: string): string => read(files, `/sys/fs/cgroup${cgroup}/${name}`);
    const cpu = parsePairs(file('cpu.stat'));
    return {
      cpu: { totalNs: (cpu['usage_usec'] ?? 0) * 1000, userNs: (cpu['user_usec'] ?? 0) * 1000, kernelNs: (cpu['system_usec'] ?? 0) * 1000, systemNs },
      memory: { usageBytes: number(file('memory.current')) ?? 0, limitBytes: limited(file('memory.max')), details: parsePairs(file('memory.stat')) },
      pids: { current: number(file('pids.current')) ?? 0, limit: number(file('pids.max')) },
      network,
      blockIo: parseIoStat(file('io.stat')),
    };
  }
  const file = (controller: string, name: string): string => read(files, `/sys/fs/cgroup/${controller}${cgroup}/${name}`);
  const cpu = parsePairs(file('cpuacct', 'cpuacct.stat'));
  return {
    cpu: { totalNs: number(file('cpuacct', 'cpuacct.usage')) ?? 0, userNs: (cpu['user'] ?? 0) * TICK_NS, kernelNs: (cpu['system'] ?? 0) * TICK_NS, systemNs },
    memory: { usageBytes: number(file('memory', 'memory.usage_in_bytes')) ?? 0, limitBytes: limited(file('memory', 'memory.limit_in_bytes')), details: parsePairs(file('memory', 'memory.stat')) },
    pids: { current: number(file('pids', 'pids.current')) ?? 0, limit: number(file('pids', 'pids.max')) },
    network,
    blockIo: [],
  };
}

function read(files: Files, path: string): string {
  try {
    return files.readText(path);
  } catch {
    // A controller that this kernel lacks, or a container that has just ended.
    return '';
  }
}

/** 'max' is no number. */
function number(text: string): number | undefined {
  return /^\d+$/.test(text.trim()) ? Number(text.trim()) : undefined;
}

function parsePairs(text: string): Record<string, number> {
  return Object.fromEntries(text.split('\n').flatMap((line) => (/^\S+ \d+$/.test(line) ? [[line.split(' ')[0], Number(line.split(' ')[1])]] : [])));
}

/** All processors' time in the first line of /proc/stat, without guest time, which user time holds already. */
function systemTimeNs(stat: string): number {
  const ticks = (stat.split('\n')[0] ?? '').trim().split(/\s+/).slice(1, 9).map(Number);
  return ticks.reduce((sum, value) => sum + value, 0) * TICK_NS;
}

export function parseNetDev(text: string): Record<string, Record<string, number>> {
  const interfaces: Record<string, Record<string, number>> = {};
  for (const line of text.split('\n')) {
    const match = /^\s*([^:\s]+):\s*(.*)$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined || match[1] === 'lo') continue;
    const counts = match[2].trim().split(/\s+/).map(Number);
    const at = (index: number): number => counts[index] ?? 0;
    interfaces[match[1]] = {
      rx_bytes: at(0), rx_packets: at(1), rx_errors: at(2), rx_dropped: at(3), tx_bytes: at(8), tx_packets: at(9), tx_errors: at(10), tx_dropped: at(11),
    };
  }
  return interfaces;
}

export function parseIoStat(text: string): ContainerStatistics['blockIo'] {
  return text.split('\n').flatMap((line) => {
    const device = /^(\d+):(\d+) (.*)$/.exec(line);
    if (device === null) return [];
    const fields = parsePairs((device[3] ?? '').replaceAll('=', ' ').replaceAll(/ (?=[a-z])/g, '\n'));
    const entry = (op: string, value: number | undefined) => ({ major: Number(device[1]), minor: Number(device[2]), op, value: value ?? 0 });
    return [entry('read', fields['rbytes']), entry('write', fields['wbytes'])];
  });
}
