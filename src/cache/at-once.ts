/**
 * Runs `work` on every item, some at once; false as soon as one says so. Waits for what has begun, and throws what the first of it threw.
 */
export async function everyAtOnce<T>(items: readonly T[], limit: number, work: (item: T) => Promise<boolean>): Promise<boolean> {
  const waiting = [...items];
  let good = true;
  const lane = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined && good; item = waiting.shift()) {
      const fine = await work(item).catch((error: unknown) => {
        good = false;
        throw error;
      });
      good &&= fine;
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, lane));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed) throw failed.reason;
  return good;
}
