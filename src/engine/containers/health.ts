import { EngineError } from '../error.ts';
import type { HealthcheckConfig } from '../images/index.ts';

export type HealthStatus = 'starting' | 'healthy' | 'unhealthy';

/** One check that was made. */
export interface HealthProbe {
  /** ISO times. */
  start: string;
  end: string;
  /** -1: it took too long, or could not be run. */
  exitCode: number;
  output: string;
}

/** What is known of a container's health. */
export interface HealthState {
  status: HealthStatus;
  failingStreak: number;
  /** The latest ones, oldest first. */
  log: HealthProbe[];
}

/** A health check with every default filled in. */
export interface HealthPlan {
  argv: string[];
  intervalMs: number;
  timeoutMs: number;
  startPeriodMs: number;
  startIntervalMs: number;
  retries: number;
}

export const PROBE_OUTPUT_BYTES = 4096;
const KEPT_PROBES = 5;
const NANOSECONDS_PER_MS = 1_000_000;
const DEFAULTS = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5000, retries: 3 };

/** What a container's health check asks for; undefined when there is none, or it was switched off. `shell` is for CMD-SHELL. */
export function planHealth(config: HealthcheckConfig | undefined, shell: readonly string[] | undefined): HealthPlan | undefined {
  const [kind, ...words] = config?.Test ?? [];
  if (config === undefined || kind === undefined || kind === 'NONE' || words.length === 0) return undefined;
  const ms = (nanoseconds: number | undefined, fallback: number): number => (nanoseconds === undefined || nanoseconds === 0 ? fallback : nanoseconds / NANOSECONDS_PER_MS);
  return {
    argv: kind === 'CMD-SHELL' ? [...(shell === undefined || shell.length === 0 ? ['/bin/sh', '-c'] : shell), words.join(' ')] : words,
    intervalMs: ms(config.Interval, DEFAULTS.intervalMs),
    timeoutMs: ms(config.Timeout, DEFAULTS.timeoutMs),
    startPeriodMs: ms(config.StartPeriod, DEFAULTS.startPeriodMs),
    startIntervalMs: ms(config.StartInterval, DEFAULTS.startIntervalMs),
    retries: config.Retries === undefined || config.Retries === 0 ? DEFAULTS.retries : config.Retries,
  };
}

/** Throws 'invalid'. */
export function checkHealthcheck(config: HealthcheckConfig): void {
  const kind = config.Test?.[0];
  if (kind !== undefined && !['NONE', 'CMD', 'CMD-SHELL', ''].includes(kind)) throw invalid(`Unknown healthcheck type '${kind}' (expected 'CMD')`);
  for (const name of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    const value = config[name] ?? 0;
    if (value !== 0 && value < NANOSECONDS_PER_MS) throw invalid(`${name} in Healthcheck cannot be less than 1ms`);
  }
  if ((config.Retries ?? 0) < 0) throw invalid('Retries in Healthcheck cannot be negative');
}

/** The user's settings over the image's, one by one. */
export function mergeHealthcheck(own: HealthcheckConfig | undefined, image: HealthcheckConfig | null | undefined): HealthcheckConfig | undefined {
  if (own === undefined || image == null) return own ?? image ?? undefined;
  if (own.Test?.[0] === 'NONE') return own;
  const merged: HealthcheckConfig = { ...image };
  if (own.Test !== undefined && own.Test.length > 0) merged.Test = own.Test;
  for (const name of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries'] as const) {
    const value = own[name];
    if (value !== undefined && value !== 0) merged[name] = value;
  }
  return merged;
}

/** The state after a check. `sinceStartMs`: when the check began, counted from the container's start. */
export function afterProbe(state: HealthState, probe: HealthProbe, plan: HealthPlan, sinceStartMs: number): HealthState {
  const log = [...state.log, probe].slice(-KEPT_PROBES);
  if (probe.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  if (state.status === 'starting' && sinceStartMs < plan.startPeriodMs) return { ...state, log };
  const failingStreak = state.failingStreak + 1;
  return { status: failingStreak >= plan.retries ? 'unhealthy' : state.status, failingStreak, log };
}

/** How long to wait before the next check. */
export function untilNextProbeMs(status: HealthStatus, plan: HealthPlan, sinceStartMs: number): number {
  return status === 'starting' && sinceStartMs < plan.startPeriodMs ? plan.startIntervalMs : plan.intervalMs;
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', 'HEALTHCHECK_INVALID', message);
}
