/** Attempts that failed, and when each may be made again. */
export interface Retries {
  /** Whether an attempt has to wait. */
  blocked(key: string): boolean;
  failed(key: string, of: string, message: string): void;
  succeeded(key: string): void;
  /** Forgets those that nobody wants any more; all of them without an argument. */
  forget(but?: ReadonlySet<string>): void;
  /** What failed last, by service. */
  messages(): Map<string, string>;
  /** When the next may be made, on the same clock. */
  next(): number | undefined;
}

const FIRST_MS = 1000;
/** Where networks come and go, a minute is often enough, and seldom enough for those who pay by the byte. */
const LONGEST_MS = 60_000;

export function createRetries(nowMs: () => number): Retries {
  const entries = new Map<string, { of: string; count: number; notBeforeMs: number; message: string }>();
  return {
    blocked: (key) => (entries.get(key)?.notBeforeMs ?? -Infinity) > nowMs(),
    failed(key, of, message) {
      const count = (entries.get(key)?.count ?? 0) + 1;
      entries.set(key, { of, count, message, notBeforeMs: nowMs() + Math.min(LONGEST_MS, FIRST_MS * 2 ** (count - 1)) });
    },
    succeeded: (key) => void entries.delete(key),
    forget(but = new Set()) {
      for (const key of entries.keys()) if (!but.has(key)) entries.delete(key);
    },
    messages: () => new Map([...entries.values()].map(({ of, message }) => [of, message])),
    next: () => (entries.size === 0 ? undefined : Math.min(...[...entries.values()].map(({ notBeforeMs }) => notBeforeMs))),
  };
}
