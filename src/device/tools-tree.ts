import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { run, sandboxCommand, sandboxScript, start, topLevel, type Mount, type StartedProgram } from '../exec/index.ts';

export interface TreeCommand {
  argv: string[];
  /** Absolute path inside → place of the host. */
  mounts: Record<string, Mount>;
  /** Where the sandbox script is kept: what a person runs to see a failure again. */
  name: string;
}

/** Programs of a tools tree, as the device code uses them. */
export interface ToolsTree {
  /** Folder of the tree on the host. */
  folder: string;
  /** Runs a program to its end, without a network unless it asks for the host's; returns its standard output. */
  run(command: TreeCommand & { network?: boolean; stdin?: string; stdout?: string; log?(line: string): void }): Promise<string>;
  /**
   * Starts a program on the host's network with pipes or the caller's terminal. Killing the returned process with
   * SIGKILL kills the program with it, by the kernel's own doing.
   */
  start(command: TreeCommand & { stdio: 'pipe' | 'inherit' }): Promise<StartedProgram>;
  /** The words that start the program, for callers that make the process themselves (a pseudo-terminal). */
  words(command: TreeCommand): Promise<string[]>;
}

export interface OpenTreeOptions {
  folder: string;
  /** Folder of this run: sandbox scripts and roots are made in it. */
  work: string;
  /** PATH and the like, for unshare and mount of the host. */
  hostEnvironment: Record<string, string>;
  signal: AbortSignal;
}

export function openToolsTree({ folder, work, hostEnvironment, signal }: OpenTreeOptions): ToolsTree {
  const prepare = async (command: TreeCommand, network: boolean): Promise<string[]> => {
    const script = join(work, `${command.name}.sh`);
    const text = sandboxScript({
      tree: folder,
      topLevel: await topLevel(folder),
      root: join(work, `${command.name}.root`),
      mounts: command.mounts,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/tmp', LC_ALL: 'C.UTF-8', TZ: 'UTC', TERM: hostEnvironment['TERM'] ?? 'dumb' },
      argv: command.argv,
      cwd: '/tmp',
      network,
    });
    await mkdir(work, { recursive: true });
    await writeFile(script, text);
    return sandboxCommand(script, network);
  };
  return {
    folder,
    run: async ({ stdin, stdout, log, network = false, ...command }) => run(await prepare(command, network), { env: hostEnvironment, signal, stdin, stdout, log: log ?? (() => undefined) }),
    start: async ({ stdio, ...command }) => start(await prepare(command, true), { env: hostEnvironment, stdio }),
    words: (command) => prepare(command, true),
  };
}
