/** Lets so many actions run at a time; the others wait in line. */
export type Limiter = <T>(action: () => Promise<T>) => Promise<T>;

export function createLimiter(count: number): Limiter {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (action) => {
    if (running >= count) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await action();
    } finally {
      const next = waiting.shift();
      // The place passes on without becoming free in between.
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
