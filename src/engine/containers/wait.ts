import type { Cancellation } from '../ports/index.ts';
import type { Container } from './collection.ts';
import { isLive } from './record.ts';

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/** Resolves with the exit code when the condition is met, or undefined when nobody waits any more. */
export function waitContainer(container: Container, condition: WaitCondition, gone: Cancellation): Promise<number | undefined> {
  const { state } = container.record;
  if (condition === 'not-running' && !isLive(state) && state.status !== 'restarting') return Promise.resolve(state.exitCode);
  const listeners = condition === 'removed' ? container.onRemoved : container.onExit;
  return new Promise((resolve) => {
    const finish = (code: number | undefined): void => {
      listeners.delete(finish);
      forget();
      resolve(code);
    };
    const forget = gone.onCancel(() => {
      listeners.delete(finish);
      resolve(undefined);
    });
    listeners.add(finish);
  });
}
