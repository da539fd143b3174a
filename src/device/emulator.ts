import { readFile } from 'node:fs/promises';

import type { StartedProgram } from '../exec/index.ts';
import { OsbuildError } from '../model/index.ts';
import { plugAtKernelStart, type HotPlug } from './hot-plug.ts';
import { openConsole, type SerialConsole } from './serial-console.ts';
import type { ToolsTree, TreeCommand } from './tools-tree.ts';

/** A board that runs in QEMU. */
export interface Emulator {
  console: SerialConsole;
  /** Settles when QEMU has ended. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  isRunning(): boolean;
  /** How QEMU ended and what it complained of; null while it runs. */
  ending(): string | null;
  /** That the emulation itself has come to a stand, and why; null otherwise. The board has no part in it. */
  stalled(): string | null;
  /** CPU time that QEMU used so far, in seconds; the last known value once it has ended. */
  cpuSeconds(): Promise<number>;
  /** Takes the power away: no flush, no goodbye. */
  cutPower(): Promise<void>;
  /** Waits for QEMU to end by itself (a reset or a power-off of the board); takes the power away and throws when it does not. */
  waitForEnd(timeoutMs: number, what: string): Promise<void>;
}

export interface EmulatorOptions {
  tree: ToolsTree;
  command: TreeCommand;
  hotPlug: HotPlug | null;
  /** File that takes every line of the console, with seconds since the start. */
  consoleLog: string;
  signal: AbortSignal;
}

export async function startEmulator({ tree, command, hotPlug, consoleLog, signal }: EmulatorOptions): Promise<Emulator> {
  const child = await tree.start({ ...command, stdio: 'pipe' });
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new Error('QEMU was started without pipes');
  const complaints: string[] = [];
  stderr.on('data', (chunk: Buffer) => complaints.push(chunk.toString('utf8')));
  const console = openConsole({ input: stdin, output: stdout, log: consoleLog, signal });
  if (hotPlug) {
    const feed = plugAtKernelStart(hotPlug, (message) => complaints.push(`${message}\n`));
    stdout.on('data', (chunk: Buffer | string) => feed(chunk.toString()));
  }
  const cpu = meterCpu(child);
  let ending: string | null = null;

  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('error', (error) => {
      ending = `QEMU could not be started: ${error.message}`;
      console.close(ending);
      resolve({ code: null, signal: null });
    });
    child.once('close', (code, killedBy) => {
      const words = complaints.join('').trim();
      ending ??= `QEMU ended with ${killedBy === null ? `exit status ${code}` : `signal ${killedBy}`}${words ? `: ${words}` : ''}`;
      console.close(ending);
      resolve({ code, signal: killedBy });
    });
  });
  const isRunning = (): boolean => ending === null;
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  void ended.then(() => signal.removeEventListener('abort', kill));

  const cutPower = async (): Promise<void> => {
    await cpu.read();
    kill();
    await ended;
  };
  return {
    console,
    ended,
    isRunning,
    ending: () => ending,
    stalled: () => lostTimer(console.text()),
    cpuSeconds: () => cpu.read(),
    cutPower,
    waitForEnd: async (timeoutMs, what) => {
      const deadline = Date.now() + timeoutMs;
      while (isRunning() && Date.now() < deadline) {
        await cpu.read();
        await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 1000))]);
      }
      if (!isRunning()) return;
      await cutPower();
      throw new OsbuildError('OSB_BOOT_TEST_FAILED', `${what} did not end within ${Math.round(timeoutMs / 1000)} s`, {
        hint: `the console's log is ${consoleLog}`,
        details: { consoleLog, tail: console.tail(40) },
      });
    },
  };
}

/**
 * Seen with x86 under TCG (QEMU 10.0) where a host takes the processor away for long: a virtual processor gets no timer interrupt any more, halts for good,
 * and the kernel's other one says so.
 */
export function lostTimer(consoleText: string): string | null {
  const [line] = /rcu: .* kthread timer wakeup didn't happen for \d+ jiffies!.*/.exec(consoleText) ?? [];
  return line === undefined ? null : `QEMU lost the timer interrupt of a processor (${line.trim()})`;
}

/** Clock ticks a second in /proc/<pid>/stat: fixed by the kernel's interface to programs. */
const ticksPerSecond = 100;

/** CPU time of a process and everything below it: QEMU stands under the sandbox's processes. */
function meterCpu(child: StartedProgram): { read(): Promise<number> } {
  let last = 0;
  return {
    read: async () => {
      if (child.pid !== undefined) last = Math.max(last, await ticks(child.pid));
      return last / ticksPerSecond;
    },
  };
}

async function ticks(pid: number): Promise<number> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const own = Number(fields[11]) + Number(fields[12]);
    const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter(Boolean).map(Number);
    const below = await Promise.all(children.map(ticks));
    return below.reduce((sum, value) => sum + value, own);
  } catch {
    return 0; // it has just ended
  }
}
