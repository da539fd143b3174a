import type { ErrorCode } from './error.ts';

/** What the build tells its reporters. Every event is plain JSON: `--json` prints it as one line. */
export type BuildEvent =
  | { type: 'plan'; machine: string | null; tasks: number; cached: number; toRun: { id: string; title: string }[]; concurrency: number }
  | { type: 'task-start'; id: string; title: string }
  | { type: 'task-progress'; id: string; done: number; total: number | null; unit: 'bytes' | 'items' | 'percent'; detail?: string }
  | { type: 'task-done'; id: string; title: string; cached: boolean; durationMs: number }
  | { type: 'task-failed'; id: string; title: string; code: ErrorCode; message: string; hint?: string; log?: LogExcerpt }
  | { type: 'notice'; level: 'info' | 'warning'; code: string; message: string; hint?: string }
  | { type: 'artifact'; machine: string; path: string; sizeBytes: number; sha256: string }
  | { type: 'check'; machine: string; name: string; outcome: 'passed' | 'failed' | 'skipped'; durationMs: number; detail?: string }
  | { type: 'end'; outcome: 'ok' | 'failed' | 'cancelled'; durationMs: number };

/** Where a failed task's log is, how it ended, and a line to paste that runs the failed command again. */
export interface LogExcerpt {
  path: string;
  tail: string[];
  command: string | null;
}

export type Emit = (event: BuildEvent) => void;
