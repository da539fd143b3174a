import type { ParseArgsConfig } from 'node:util';

import type { CacheLayout } from '../cache/index.ts';
import type { Emit } from '../model/index.ts';

/** One option of a command: how it is parsed and what help says of it. */
export interface OptionSpec {
  type: 'string' | 'boolean';
  short?: string;
  multiple?: boolean;
  /** Word for the value in help. */
  value?: string;
  help: string;
}

export interface Command {
  name: string;
  /** Arguments as help shows them. */
  usage: string;
  summary: string;
  /** Further lines of help. */
  details?: string;
  options: Record<string, OptionSpec>;
  /** How many words without a dash it takes. */
  arguments: { min: number; max: number };
  run(invocation: Invocation): Promise<number>;
}

/** What a command has of the world: parsed words, streams, and the few facts of the environment that matter. */
export interface Invocation {
  /** Folder of the program. */
  home: string;
  cwd: string;
  words: string[];
  flags: Flags;
  out(text: string): void;
  err(text: string): void;
  /** Whether standard output and input are a terminal. */
  interactive: boolean;
  layout: CacheLayout;
  /** PATH, HOME and proxies: what programs of the host get. */
  hostEnvironment: Record<string, string>;
  /** What the environment says of a cache server; it has precedence over the project. The token is nowhere else. */
  remoteCache: { url?: string; push?: boolean; token?: string };
  /** AWS_ variables of the caller, for mirrors of shared state that are buckets. They are nowhere else. */
  bucketCredentials: Record<string, string>;
  /** Socket of the caller's SSH agent. */
  sshAgent: string | undefined;
  /** Folder of the config.json in which logins for registries are kept. */
  dockerConfig: string;
  /** Fires on Ctrl-C and SIGTERM. */
  signal: AbortSignal;
  emit: Emit;
}

export interface Flags {
  text(name: string): string | undefined;
  texts(name: string): string[];
  on(name: string): boolean;
}

export function parseConfig(options: Record<string, OptionSpec>): NonNullable<ParseArgsConfig['options']> {
  const entries = Object.entries(options).map(([name, { type, short, multiple }]) => [name, { type, ...(short ? { short } : {}), ...(multiple ? { multiple } : {}) }]);
  return Object.fromEntries(entries) as NonNullable<ParseArgsConfig['options']>;
}
