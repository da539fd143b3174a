/** The timers that are also globals (see globals.d.ts), and what has no global name. */
declare module 'host:timers' {
  export function setTimeout<A extends unknown[]>(callback: (...args: A) => void, delayMs?: number, ...args: A): number;
  export function setInterval<A extends unknown[]>(callback: (...args: A) => void, intervalMs?: number, ...args: A): number;
  export function clearTimeout(id: number | undefined): void;
  export function clearInterval(id: number | undefined): void;
  /** Lets the process end although this timer is still armed. */
  export function unref(id: number): void;
  /** Milliseconds with fraction since an arbitrary moment; never jumps. For wall time use Date.now(). */
  export function monotonicMs(): number;
}
