import { concat, find } from 'host:bytes';
import { EngineError } from '../error.ts';

export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q';

/** 'ctrl-p,ctrl-q', 'a', 'ctrl-@' as the bytes that a terminal sends. Throws 'invalid'. */
export function parseDetachKeys(text: string): Uint8Array {
  const codes = text.split(',').map((key) => {
    if (key.length === 1) return key.charCodeAt(0);
    const control = /^ctrl-([a-zA-Z@[\\\]^_])$/.exec(key)?.[1];
    if (control === undefined) throw new EngineError('invalid', 'DETACH_KEYS', `Invalid detach keys (${text}) provided`);
    return control.toUpperCase().charCodeAt(0) & 31;
  });
  return Uint8Array.from(codes);
}

export interface DetachDetector {
  /** What goes on to the process; `detached` when the keys have been typed. */
  feed(input: Uint8Array): { pass: Uint8Array; detached: boolean };
}

/** Holds back a beginning of the keys until it is known whether the rest follows. */
export function createDetachDetector(keys: Uint8Array): DetachDetector {
  let held: Uint8Array = new Uint8Array(0);
  return {
    feed(input) {
      const bytes = held.length === 0 ? input : concat([held, input]);
      const at = keys.length === 0 ? -1 : find(bytes, keys);
      if (at >= 0) return { pass: bytes.subarray(0, at), detached: true };
      let keep = Math.min(keys.length - 1, bytes.length);
      while (keep > 0 && find(keys, bytes.subarray(bytes.length - keep)) !== 0) keep -= 1;
      held = bytes.slice(bytes.length - keep);
      return { pass: bytes.subarray(0, bytes.length - keep), detached: false };
    },
  };
}
