import type { StepArgs, StepKind } from './steps.ts';

/** One file or folder that a task reads. Its name in the task is the key in `Task.inputs`. */
export type Input =
  /** One file that another task made. */
  | { from: 'task'; task: string; output: string }
  /** All files that another task made, by output name (the .deb files of a fetch, for one). */
  | { from: 'task-files'; task: string }
  /** The folder that a tree task made (a tools tree). */
  | { from: 'tree'; task: string }
  /** Source files, with the digests that they had when the plan was made: path relative to `root` → digest. */
  | { from: 'sources'; root: string; files: SourceFile[] };

export interface SourceFile {
  /** Relative to the input's root, with forward slashes. */
  path: string;
  /** SHA-256 of the content, in hex; of the target for a symbolic link. */
  digest: string;
  type: 'file' | 'executable' | 'link';
}

/**
 * One unit of work with a content key. `id` is unique within a plan and stable between plans, so that `osbuild why`
 * can compare the ingredients of a key with those of the last run.
 */
export interface Task<K extends StepKind = StepKind> {
  id: string;
  kind: K;
  title: string;
  args: StepArgs[K];
  inputs: Record<string, Input>;
  /** Tree tasks leave a folder instead of files; it is never uploaded, since it can be made again from its inputs. */
  result: 'files' | 'tree';
}

export type AnyTask = { [K in StepKind]: Task<K> }[StepKind];

/** A reference to one output file, as planners hand it to each other. */
export interface OutputRef {
  task: string;
  output: string;
}
