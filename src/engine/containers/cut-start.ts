import { sleep } from '../ports/index.ts';
import type { ContainerContext } from './context.ts';
import { SIGKILL } from './signals.ts';

/** A runtime on a slow board takes seconds; one that takes longer hangs. */
const PATIENCE_MS = 30_000;

/**
 * Waits for a start that a daemon before us began, and that conmon goes on with: what the runtime has half made it cannot remove yet. One
 * that does not get there is killed.
 */
export async function awaitCutStart(context: ContainerContext, id: string): Promise<void> {
  const { runtime, system } = context;
  for (const until = system.clock.monotonicMs() + PATIENCE_MS; ; await sleep(system.clock, 20)) {
    const starting = startersOf(context, id);
    if (starting.length === 0 || (await runtime.status(id)) !== undefined) return;
    if (system.clock.monotonicMs() < until) continue;
    for (const pid of starting) system.processes.kill(pid, SIGKILL);
    return;
  }
}

/** The container's conmon, and the runtime that makes the container. */
function startersOf({ system: { files } }: ContainerContext, id: string): number[] {
  const pids = files.readdir('/proc').map(({ name }) => name).filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => {
    const words = commandLine(files, pid);
    return words.includes(id) && (words.includes('--cid') || words.includes('create'));
  }).map(Number);
}

function commandLine(files: ContainerContext['system']['files'], pid: string): string[] {
  try {
    return files.readText(`/proc/${pid}/cmdline`).split('\0');
  } catch {
    // It has just ended.
    return [];
  }
}
