import type { RestartPolicy } from './config.ts';

export interface RestartInput {
  policy: RestartPolicy;
  exitCode: number;
  stoppedByUser: boolean;
  restartCount: number;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 60_000;
/** A container that lived this long has recovered: the next delay is short again. */
const SOUND_RUN_MS = 10_000;

export function shouldRestart({ policy, exitCode, stoppedByUser, restartCount }: RestartInput): boolean {
  if (stoppedByUser) return false;
  if (policy.Name === 'always' || policy.Name === 'unless-stopped') return true;
  return policy.Name === 'on-failure' && exitCode !== 0 && (policy.MaximumRetryCount === 0 || restartCount < policy.MaximumRetryCount);
}

/** How long to wait before the next start, given the last wait (0: none) and how long the container ran. */
export function nextRestartDelayMs(lastDelayMs: number, ranMs: number): number {
  if (lastDelayMs === 0 || ranMs >= SOUND_RUN_MS) return FIRST_DELAY_MS;
  return Math.min(lastDelayMs * 2, LONGEST_DELAY_MS);
}

/** Whether a container that was not running comes up when the daemon starts (after a boot, say). */
export function startsWithDaemon(policy: RestartPolicy, stoppedByUser: boolean, wasRunning: boolean, exitCode: number): boolean {
  if (policy.Name === 'always') return true;
  if (policy.Name === 'unless-stopped') return !stoppedByUser;
  return policy.Name === 'on-failure' && wasRunning && exitCode !== 0;
}
