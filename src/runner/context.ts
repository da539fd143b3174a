import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { lockFile, sha256File, type BlobInfo, type BlobStore, type CacheLayout } from '../cache/index.ts';
import { run, sandboxCommand, sandboxScript, stream, topLevel } from '../exec/index.ts';
import type { AnyTask, BuildEvent, StepContext, StepKind, Task, ToolCommand } from '../model/index.ts';
import type { TaskLog } from './log.ts';

export interface ContextOptions {
  task: AnyTask;
  layout: CacheLayout;
  blobs: BlobStore;
  epoch: number;
  /** Environment of host programs: PATH, HOME and proxies, nothing else. */
  hostEnvironment: Record<string, string>;
  /** Single-file inputs and trees by input name. */
  paths: Map<string, string>;
  /** SHA-256 of single-file inputs by input name. */
  digests: Map<string, string>;
  /** Collections by input name. */
  collections: Map<string, Map<string, string>>;
  /** Folder of this task alone: `out`, `scratch`, `tree` and sandbox roots are made in it. */
  work: string;
  log: TaskLog;
  emit: (event: BuildEvent) => void;
  signal: AbortSignal;
}

export interface TaskContext {
  context: StepContext;
  /** Blobs that the executor took over from the store, by output name. */
  adopted: Map<string, BlobInfo>;
}

/** Binds an executor's view of the world to one task. */
export async function makeContext(options: ContextOptions): Promise<TaskContext> {
  const { task, work, log, signal } = options;
  const adopted = new Map<string, BlobInfo>();
  const out = join(work, 'out');
  const scratch = join(work, 'scratch');
  const tree = join(work, 'tree');
  await mkdir(out, { recursive: true });
  await mkdir(scratch);
  if (task.result === 'tree') await mkdir(tree);
  let sandboxes = 0;

  const single = (name: string): string => {
    const path = options.paths.get(name);
    if (path === undefined) throw new Error(`the task ${task.id} has no single input called ${name}`);
    return path;
  };
  const collection = (name: string): Map<string, string> => {
    const files = options.collections.get(name);
    if (files === undefined) throw new Error(`the task ${task.id} has no collection of inputs called ${name}`);
    return files;
  };
  const commands = { env: options.hostEnvironment, signal, log: (line: string) => log.line(line) };

  const tool = async (command: ToolCommand): Promise<string> => {
    const treePath = single(command.tree ?? 'tools');
    const number = sandboxes++;
    const script = join(dirname(log.path), `${log.name}.${number}.sh`);
    const inputs = [...options.paths].filter(([name]) => task.inputs[name]?.from !== 'tree');
    const text = sandboxScript({
      tree: treePath,
      topLevel: await topLevel(treePath),
      root: join(work, `root${number}`),
      mounts: {
        ...Object.fromEntries(inputs.map(([name, path]) => [`/in/${name}`, { path, rw: false }])),
        '/out': { path: out, rw: true },
        '/tmp': { path: scratch, rw: true },
        ...(task.result === 'tree' ? { '/tree': { path: tree, rw: true } } : {}),
        ...Object.fromEntries(Object.entries(command.mounts ?? {}).map(([inside, mount]) => [inside, { path: mount.path, rw: mount.rw ?? false }])),
      },
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        HOME: '/tmp',
        LC_ALL: 'C.UTF-8',
        TZ: 'UTC',
        SOURCE_DATE_EPOCH: String(options.epoch),
        ...command.env,
      },
      argv: command.argv,
      cwd: '/tmp',
      network: false,
    });
    await log.script(script, text);
    log.line(`in ${command.tree ?? 'tools'}: ${command.argv.join(' ')}`);
    const heard = (line: string): void => {
      log.line(line);
      command.line?.(line);
    };
    return run(sandboxCommand(script, false), { ...commands, log: heard, stdin: command.stdin, stdout: command.stdout, paste: `${sandboxCommand(script, false).join(' ')}` });
  };

  const context: StepContext = {
    task: task as Task,
    args: task.args,
    epoch: options.epoch,
    input: single,
    digest: (name) => {
      const sha256 = options.digests.get(name);
      if (sha256 === undefined) throw new Error(`the task ${task.id} has no single-file input called ${name}`);
      return sha256;
    },
    inputs: collection,
    output: (name) => join(out, name),
    tree: () => {
      if (task.result !== 'tree') throw new Error(`the task ${task.id} makes files, not a tree`);
      return tree;
    },
    adopt: async (name, sha256) => {
      const sizeBytes = await options.blobs.size(sha256);
      if (sizeBytes === null || !(await options.blobs.verify(sha256))) return false;
      adopted.set(name, { sha256, sizeBytes });
      return true;
    },
    deliver: async (name, file, sha256) => void adopted.set(name, await options.blobs.take(file, sha256)),
    sha256: sha256File,
    partial: async (sha256) => {
      const path = options.layout.partial(sha256);
      const release = await lockFile(`${path}.lock`, signal, () => log.line(`waiting for another build that loads ${sha256}`));
      return { path, release };
    },
    scratch,
    keep: async () => {
      const folder = log.path.replace(/\.log$/, '.d');
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
      return folder;
    },
    hostEnvironment: options.hostEnvironment,
    emit: options.emit,
    signal,
    log: (line) => log.line(line),
    progress: (done, total, unit, detail) =>
      options.emit({ type: 'task-progress', id: task.id, done, total, unit, ...(detail === undefined ? {} : { detail }) }),
    notice: (level, code, message, hint) => options.emit({ type: 'notice', level, code, message, ...(hint === undefined ? {} : { hint }) }),
    tool,
    host: (argv, extra = {}) =>
      run(argv, { ...commands, ...extra, env: { ...options.hostEnvironment, ...extra.env } }),
    hostStream: (argv) => stream(argv, commands),
  };
  return { context: context satisfies StepContext<StepKind>, adopted };
}

/** The last lines of a log file, for an error message. */
export async function logTail(path: string, lines: number): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-lines);
}
