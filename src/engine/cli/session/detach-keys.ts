import { CliError } from '../cli-error.ts';

export const defaultDetachKeys = 'ctrl-p,ctrl-q';

/** "ctrl-p,ctrl-q" → [16, 17]. An empty text gives the default; keys are single characters or ctrl-<a..z @ [ \ ] ^ _>. */
export function parseDetachKeys(text: string): Uint8Array {
  const keys = (text === '' ? defaultDetachKeys : text).split(',').map((key) => {
    const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key);
    if (control) return (control[1] ?? '').toUpperCase().charCodeAt(0) - 64;
    if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
    throw new CliError(`invalid detach keys (${text}): unknown key "${key}"; use single characters or ctrl-<letter>, separated by commas`);
  });
  return Uint8Array.from(keys);
}

/** Watches typed bytes for the detach sequence; bytes that may begin it are held back until it is clear. */
export function createDetachFilter(keys: Uint8Array) {
  let matched = 0;
  return {
    /** What to pass on, and whether the sequence is complete (what follows it is dropped). */
    push(input: Uint8Array): { readonly forward: Uint8Array; readonly detached: boolean } {
      if (matched === 0 && !input.includes(keys[0] ?? -1)) return { forward: input, detached: false };
      const out = new Uint8Array(input.length + matched);
      let length = 0;
      for (const byte of input) {
        while (byte !== keys[matched] && matched > 0) {
          // The longest other beginning of the sequence that the held bytes and this one can still be.
          const held = keys.slice(0, matched);
          let keep = matched - 1;
          while (keep > 0 && !startsWith(held, matched - keep, keys, keep)) keep--;
          out.set(held.subarray(0, matched - keep), length);
          length += matched - keep;
          matched = keep;
        }
        if (byte !== keys[matched]) {
          out[length++] = byte;
          continue;
        }
        matched++;
        if (matched === keys.length) return { forward: out.subarray(0, length), detached: true };
      }
      return { forward: out.subarray(0, length), detached: false };
    },
    /** The held bytes, at the end of input. */
    rest(): Uint8Array {
      const held = keys.slice(0, matched);
      matched = 0;
      return held;
    },
  };
}

function startsWith(held: Uint8Array, from: number, keys: Uint8Array, count: number): boolean {
  for (let i = 0; i < count; i++) if (held[from + i] !== keys[i]) return false;
  return true;
}
