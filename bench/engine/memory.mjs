// Memory of processes as the kernel shares it out: PSS.
import { readdirSync, readFileSync } from 'node:fs';

/** MB of all processes but those of `others`: this program, the shell before it, clients that are at work. */
export function pssMb(isOther) {
  let kb = 0;
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (isOther(Number(pid), command)) continue;
      kb += Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch {
      // It has ended meanwhile, or is one of the kernel's.
    }
  }
  return (kb * 1024) / 1e6;
}

export function pssOf(pid) {
  return (Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) * 1024) / 1e6;
}
