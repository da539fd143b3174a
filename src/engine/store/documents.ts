import { EngineError, messageOf } from '../error.ts';
import type { Files } from '../ports/index.ts';

/** Version of everything below the data root; raised when an older engine could not read it. */
export const STORE_FORMAT = 1;

/** Reads a JSON document of ours. Throws when it is damaged: replaced atomically, it can only be so by a failing disk or a hand. */
export function readDocument<T>(files: Files, path: string): T {
  const text = files.readText(path);
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new EngineError('internal', 'STORE_DAMAGED', `${path} is damaged: ${messageOf(error)}`, { cause: error });
  }
}

/** Told when something in the store could not be read; it is put aside, and the rest goes on. */
export type OnDamage = (path: string, error: unknown) => void;

/** Puts what cannot be read out of the way, to `<data root>/damaged/`, where a person may look at it; nothing else does. */
export function setAside(files: Files, dataRoot: string, path: string): void {
  const folder = `${dataRoot}/damaged`;
  files.mkdirs(folder, 0o700);
  const name = path.slice(path.lastIndexOf('/') + 1);
  for (let number = 0; ; number += 1) {
    const target = `${folder}/${name}${number === 0 ? '' : `.${number}`}`;
    if (files.exists(target)) continue;
    files.rename(path, target);
    return;
  }
}

export async function writeDocument(files: Files, path: string, value: unknown): Promise<void> {
  await files.replaceFile(path, JSON.stringify(value), 0o600);
}

/** Runs actions one after the other, whoever asks. */
export type Queue = <T>(action: () => Promise<T>) => Promise<T>;

export function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  return (action) => {
    const run = last.then(action, action);
    last = run.catch(() => undefined);
    return run;
  };
}
