import type { ApiClient } from './api/api-client.ts';
import type { ClientConfig } from './client-config.ts';
import type { CompletionSource, FlagSpec } from './flags/flag-spec.ts';
import type { FlagValues } from './flags/parse-flags.ts';
import type { CliPorts } from './ports.ts';

/** What a verb works with. */
export interface CommandContext {
  readonly ports: CliPorts;
  /** The name the program was called by: "minke" or "docker". */
  readonly program: string;
  readonly config: ClientConfig;
  /** Connects at its first request. */
  readonly api: ApiClient;
  readonly flags: FlagValues;
  readonly args: readonly string[];
  print(text: string): Promise<void>;
  warn(text: string): Promise<void>;
}

export interface ArgumentCount {
  readonly min: number;
  /** Null: any number. */
  readonly max: number | null;
}

export type CommandSection = 'common' | 'other' | 'group-only';

/** One row of the command table. */
export interface Command {
  /** Where it stands: ["container", "ls"]. */
  readonly path: readonly string[];
  /** Other places: [["ps"], ["container", "list"]]. */
  readonly aliases?: readonly (readonly string[])[];
  /** Arguments after the flags, as usage lines show them. */
  readonly usage: string;
  readonly summary: string;
  readonly details?: string;
  readonly flags: readonly FlagSpec[];
  readonly args: ArgumentCount;
  /** False: flags end at the first argument. */
  readonly interspersed?: boolean;
  /** Exit status of failures before a container's own: 125 for run and create. */
  readonly failureCode?: number;
  readonly completeArgs?: CompletionSource;
  /** Shown among the commands that people use most. */
  readonly common?: boolean;
  readonly hidden?: boolean;
  run(context: CommandContext): Promise<number>;
}

export function exactly(count: number): ArgumentCount {
  return { min: count, max: count };
}

export function atLeast(count: number): ArgumentCount {
  return { min: count, max: null };
}

export function between(min: number, max: number): ArgumentCount {
  return { min, max };
}

export const noArguments: ArgumentCount = { min: 0, max: 0 };
