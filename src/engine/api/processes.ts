import type { Files } from '../ports/index.ts';

const TITLES = ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'];
const TICKS_PER_SECOND = 100;

/** What runs in a container, as `ps -ef` writes it: all processes of the PID namespace of its first one. */
export function listProcesses(files: Files, firstPid: number): { Titles: string[]; Processes: string[][] } {
  const namespace = files.readlink(`/proc/${firstPid}/ns/pid`);
  const bootSeconds = Number(/^btime (\d+)$/m.exec(files.readText('/proc/stat'))?.[1] ?? 0);
  const rows: string[][] = [];
  for (const { name } of files.readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (files.readlink(`/proc/${name}/ns/pid`) === namespace) rows.push(row(files, name, bootSeconds));
    } catch {
      // It has ended meanwhile.
    }
  }
  return { Titles: TITLES, Processes: rows };
}

function row(files: Files, pid: string, bootSeconds: number): string[] {
  const stat = files.readText(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const uid = /^Uid:\s+(\d+)/m.exec(files.readText(`/proc/${pid}/status`))?.[1] ?? '';
  const command = files.readText(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
  const cpuSeconds = Math.floor((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND);
  const started = new Date((bootSeconds + Number(fields[19]) / TICKS_PER_SECOND) * 1000).toISOString().slice(11, 16);
  const time = [3600, 60, 1].map((unit, index) => String(index === 0 ? Math.floor(cpuSeconds / unit) : Math.floor(cpuSeconds / unit) % 60).padStart(2, '0')).join(':');
  const terminal = Number(fields[4]);
  const tty = terminal === 0 ? '?' : `pts/${terminal & 255}`;
  return [uid, pid, fields[1] ?? '', '0', started, tty, time, command === '' ? `[${stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))}]` : command];
}
