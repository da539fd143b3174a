import type { Emit } from './event.ts';
import type { StepArgs, StepKind } from './steps.ts';
import type { Task } from './task.ts';

/** A command run inside a tools tree: no network, no root of the host, fixed paths. */
export interface ToolCommand {
  /** Program (found on the tree's PATH) and arguments. Inputs stand at /in/<name>, results go to /out, /tmp is scratch. */
  argv: string[];
  /** Name of the tree input to enter. Default: `tools`. */
  tree?: string;
  /** Added to PATH, HOME, LC_ALL=C.UTF-8, TZ=UTC and SOURCE_DATE_EPOCH, which are all there is. */
  env?: Record<string, string>;
  /** Host folders to see inside: path in the sandbox → host path, read-only unless `rw`. */
  mounts?: Record<string, { path: string; rw?: boolean }>;
  /** Host file fed to standard input. */
  stdin?: string;
  /** Host file that takes standard output; otherwise output goes to the task's log and is returned. */
  stdout?: string;
  /** Called with each line of output as it comes, for progress. */
  line?: (line: string) => void;
}

/** What an executor has of the world. Everything it does is bound to one task. */
export interface StepContext<K extends StepKind = StepKind> {
  task: Task<K>;
  args: StepArgs[K];
  /** SOURCE_DATE_EPOCH, seconds. */
  epoch: number;
  /** Path of a single-file input, or of a tree input's folder. Read only. */
  input(name: string): string;
  /** SHA-256 of a single-file input, which the store vouches for: what is named by it need not be read to learn it. */
  digest(name: string): string;
  /** Paths of a `task-files` input by output name, or of a `sources` input by relative path. Read only. */
  inputs(name: string): Map<string, string>;
  /** Path where output `name` is to be written; whatever stands in the out folder afterwards is the result. */
  output(name: string): string;
  /** The result folder of a tree task. */
  tree(): string;
  /** Takes a verified blob of the store as output `name` without copying; false when the store does not have it. */
  adopt(name: string, sha256: string): Promise<boolean>;
  /** Moves a file into the store as output `name`, whose SHA-256 the executor has seen for itself on these very bytes. */
  deliver(name: string, file: string, sha256: string): Promise<void>;
  /** SHA-256 of a file, or of ranges of its bytes one after the other, counted beside whatever else goes on. */
  sha256(file: string, ranges?: ReadonlyArray<{ start: number; end: number }>): Promise<string>;
  /** Where an unfinished download of this digest is kept between runs, locked against other processes. */
  partial(sha256: string): Promise<Partial>;
  /** Empty folder, removed after the task. */
  scratch: string;
  /** Makes an empty folder beside the task's log that stays after a failure, for what people look at then. */
  keep(): Promise<string>;
  /** Environment of host programs: PATH, HOME and proxies. */
  hostEnvironment: Readonly<Record<string, string>>;
  /** Tells the reporters something that is not progress, such as a check's outcome. */
  emit: Emit;
  signal: AbortSignal;
  log(line: string): void;
  progress(done: number, total: number | null, unit: 'bytes' | 'items' | 'percent', detail?: string): void;
  notice(level: 'info' | 'warning', code: string, message: string, hint?: string): void;
  /** Runs a command in a tools tree; a failure throws OSB_COMMAND_FAILED with the line to paste. */
  tool(command: ToolCommand): Promise<string>;
  /** Runs a program of the host (dpkg-deb, gpgv, apt-get): only what every apt host has. */
  host(argv: string[], options?: { env?: Record<string, string>; stdin?: string; stdout?: string; cwd?: string }): Promise<string>;
  /** Standard output of a host program as a stream; `done` rejects when the program fails. */
  hostStream(argv: string[]): { stdout: NodeJS.ReadableStream; done: Promise<void> };
}

export interface Partial {
  path: string;
  release(): Promise<void>;
}

export type Executor<K extends StepKind> = (context: StepContext<K>) => Promise<void>;

/** An executor and its version: raised when the same arguments and inputs give other bytes than before for a reason that its sources do not show. */
export type Executors = { [K in StepKind]: { version: number; run: Executor<K> } };
