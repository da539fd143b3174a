// Globals that the host adds to ECMAScript 2023. There is no console, no process and no AbortSignal.

/** Calls back once after `delayMs` (monotonic clock, does not count time asleep). Keeps the process alive unless `unref`ed (host:timers). */
declare function setTimeout<A extends unknown[]>(callback: (...args: A) => void, delayMs?: number, ...args: A): number;
/** Calls back every `intervalMs`, skipping ticks that were missed. */
declare function setInterval<A extends unknown[]>(callback: (...args: A) => void, intervalMs?: number, ...args: A): number;
/** Does nothing for an id that has fired or is undefined. */
declare function clearTimeout(id: number | undefined): void;
declare function clearInterval(id: number | undefined): void;
declare function queueMicrotask(callback: () => void): void;
