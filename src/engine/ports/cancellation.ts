/** Tells work in progress that nobody waits for it any more. */
export interface Cancellation {
  readonly cancelled: boolean;
  /** Runs `listener` once on cancellation (at once if it has happened); the result removes the listener. */
  onCancel(listener: () => void): () => void;
}

export interface CancellationSource extends Cancellation {
  cancel(): void;
}

export function createCancellation(): CancellationSource {
  let cancelled = false;
  const listeners = new Set<() => void>();
  return {
    get cancelled() {
      return cancelled;
    },
    onCancel(listener) {
      if (cancelled) {
        listener();
        return () => undefined;
      }
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    cancel() {
      if (cancelled) return;
      cancelled = true;
      for (const listener of listeners) listener();
      listeners.clear();
    },
  };
}
