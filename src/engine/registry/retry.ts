import type { Cancellation, Clock } from '../ports/index.ts';
import { RegistryError } from './registry-error.ts';

export interface RetryPolicy {
  /** Failures in a row, without any progress, after which it is given up. */
  limit: number;
  /** Before the second try in a row; the first comes after a tenth of it. Doubles from then on. */
  baseMs: number;
  maxMs: number;
}

export const BLOB_RETRIES: RetryPolicy = { limit: 7, baseMs: 1000, maxMs: 30_000 };
/** Somebody is waiting for the first answer. */
export const FIRST_RETRIES: RetryPolicy = { limit: 3, baseMs: 1000, maxMs: 5000 };

/** How long to wait after so many failures in a row (1 …). A registry's own wish counts when it is longer. */
export function retryDelayMs({ baseMs, maxMs }: RetryPolicy, failures: number, wantedMs: number | undefined): number {
  const own = failures <= 1 ? baseMs / 10 : Math.min(maxMs, baseMs * 2 ** (failures - 2));
  return Math.max(own, wantedMs ?? 0);
}

/** Throws when the pull is cancelled meanwhile. */
export async function pause(clock: Clock, delayMs: number, cancellation: Cancellation): Promise<void> {
  await new Promise<void>((resolve) => {
    const forget = { current: (): void => undefined };
    const stop = clock.after(delayMs, () => {
      forget.current();
      resolve();
    });
    forget.current = cancellation.onCancel(() => {
      stop();
      resolve();
    });
  });
  checkCancelled(cancellation);
}

export function checkCancelled(cancellation: Cancellation): void {
  if (cancellation.cancelled) throw new RegistryError('CANCELLED', 'context canceled');
}
