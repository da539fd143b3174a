export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Never jumps. */
  monotonicMs(): number;
  /** Calls back once; the result cancels. */
  after(delayMs: number, callback: () => void): () => void;
}

export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}
