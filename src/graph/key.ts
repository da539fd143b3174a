import type { AnyTask, Input, StepKind } from '../model/index.ts';
import { canonicalJson } from './canonical.ts';
import type { Graph } from './graph.ts';

export type Sha256 = (text: string) => string;

/** What a key is made of, kept beside every result so that `osbuild why` can name the difference. */
export interface KeyIngredients {
  kind: StepKind;
  version: string;
  epoch: number;
  args: string;
  /** Input name → digest of what it stands for. Source folders list every file. */
  inputs: Record<string, string | Record<string, string>>;
}

export interface TaskKey {
  key: string;
  ingredients: KeyIngredients;
}

export interface KeyOptions {
  epoch: number;
  versions: Record<StepKind, string>;
  sha256: Sha256;
}

/**
 * Keys of all tasks. A task's key covers the keys of those it reads from, not their bytes: all keys are known before
 * anything runs, which is what makes `--dry-run` exact.
 */
export function taskKeys(graph: Graph, options: KeyOptions): Map<string, TaskKey> {
  const keys = new Map<string, TaskKey>();
  for (const [id, task] of graph.tasks) keys.set(id, taskKey(task, keys, options));
  return keys;
}

function taskKey(task: AnyTask, keys: Map<string, TaskKey>, options: KeyOptions): TaskKey {
  const inputs: KeyIngredients['inputs'] = {};
  for (const [name, input] of Object.entries(task.inputs)) inputs[name] = inputDigest(input, keys);
  const ingredients: KeyIngredients = {
    kind: task.kind,
    version: options.versions[task.kind],
    epoch: options.epoch,
    args: canonicalJson(task.args),
    inputs,
  };
  return { key: options.sha256(canonicalJson(ingredients)), ingredients };
}

function inputDigest(input: Input, keys: Map<string, TaskKey>): string | Record<string, string> {
  if (input.from === 'sources') {
    return Object.fromEntries(input.files.map((file) => [file.path, file.type === 'file' ? file.digest : `${file.type}:${file.digest}`]));
  }
  const key = keys.get(input.task);
  if (!key) throw new Error(`the key of ${input.task} is needed before it is known`);
  return input.from === 'task' ? `${key.key}/${input.output}` : key.key;
}
