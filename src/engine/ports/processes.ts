import type { Connection } from './streams.ts';

export interface SpawnRequest {
  argv: readonly string[];
  /** The whole environment of the child. */
  env: Readonly<Record<string, string>>;
  cwd?: string;
  /** By descriptor: /dev/null, a pipe that the child reads, or one that it writes. Standard error goes to ours unless given. */
  stdio?: readonly ('null' | 'inherit' | 'pipe-in' | 'pipe-out')[];
  /** Signals to our session don't reach it. */
  newSession?: boolean;
  oomScoreAdj?: number;
  /** Runs it in the network namespace of this process. */
  networkOfPid?: number;
}

export interface ChildProcess {
  pid: number;
  /** Our ends of the pipes, by the child's descriptor number. */
  streams: readonly (Connection | null)[];
  /** Exit status, or 128 + signal number. */
  wait(): Promise<number>;
}

export interface Processes {
  spawn(request: SpawnRequest): ChildProcess;
  /** False when there is no such process. Signal 0 only asks. */
  kill(pid: number, signal: number): boolean;
  /** Resolves when a process, ours or not, has ended; at once if there is none. */
  watch(pid: number): { ended: Promise<void>; close(): void };
  /** A program by its name on PATH, or by path. */
  find(name: string): string | undefined;
}
