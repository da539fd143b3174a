import { EngineError } from '../error.ts';
import { sleep } from '../ports/index.ts';
import type { Device } from './device.ts';

const LOCK = 'update.lock';
/** Whoever asks whether an update runs holds the lock for a moment. */
const PATIENCE_MS = 1000;

/** Runs what only one may do at a time. Throws EngineError conflict OS_UPDATE_RUNS. */
export async function whileUpdating<T>({ system: { files, clock }, places }: Device, action: () => Promise<T>): Promise<T> {
  const lock = files.open(`${places.run}/${LOCK}`, 'read-write', 0o600);
  try {
    for (const until = clock.monotonicMs() + PATIENCE_MS; !files.tryLock(lock); await sleep(clock, 50)) {
      if (clock.monotonicMs() > until) throw new EngineError('conflict', 'OS_UPDATE_RUNS', 'another update is running');
    }
    return await action();
  } finally {
    files.close(lock);
  }
}

/** Whether somebody holds the lock of updates. */
export function updateRuns({ system: { files }, places }: Device): boolean {
  const path = `${places.run}/${LOCK}`;
  if (!files.exists(path)) return false;
  const lock = files.open(path, 'read-write', 0o600);
  try {
    return !files.tryLock(lock);
  } finally {
    files.close(lock);
  }
}
