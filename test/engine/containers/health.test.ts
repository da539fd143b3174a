import { describe, expect, it } from 'vitest';
import { afterProbe, checkHealthcheck, mergeHealthcheck, planHealth, untilNextProbeMs, type HealthPlan, type HealthState } from '../../../src/engine/containers/health.ts';

const S = 1e9;
const plan: HealthPlan = { argv: ['true'], intervalMs: 1000, timeoutMs: 500, startPeriodMs: 3000, startIntervalMs: 200, retries: 2 };
const probe = (exitCode: number, output = ''): { start: string; end: string; exitCode: number; output: string } => ({ start: 'a', end: 'b', exitCode, output });
const fresh: HealthState = { status: 'starting', failingStreak: 0, log: [] };

describe('a health check', () => {
  it('is planned with defaults, and a shell where asked', () => {
    expect(planHealth({ Test: ['CMD', 'wget', '-q'] }, undefined)).toEqual({ argv: ['wget', '-q'], intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5000, retries: 3 });
    expect(planHealth({ Test: ['CMD-SHELL', 'a | b'], Interval: 2 * S, Timeout: S, StartPeriod: 4 * S, StartInterval: S / 2, Retries: 1 }, undefined)).toEqual({
      argv: ['/bin/sh', '-c', 'a | b'], intervalMs: 2000, timeoutMs: 1000, startPeriodMs: 4000, startIntervalMs: 500, retries: 1,
    });
    expect(planHealth({ Test: ['CMD-SHELL', 'x'] }, ['/bin/bash', '-ec'])?.argv).toEqual(['/bin/bash', '-ec', 'x']);
  });

  it('is none without a command, or when switched off', () => {
    for (const config of [undefined, {}, { Test: [] }, { Test: ['NONE'] }, { Test: ['CMD'] }, { Interval: S }]) expect(planHealth(config, undefined)).toBeUndefined();
  });

  it('is healthy at the first success, and unhealthy after as many failures as allowed', () => {
    const once = afterProbe(fresh, probe(1), plan, 9000);
    expect(once).toMatchObject({ status: 'starting', failingStreak: 1 });
    expect(afterProbe(once, probe(1), plan, 9000)).toMatchObject({ status: 'unhealthy', failingStreak: 2 });
    const healthy = afterProbe(once, probe(0), plan, 9000);
    expect(healthy).toMatchObject({ status: 'healthy', failingStreak: 0 });
    expect(afterProbe(healthy, probe(-1), plan, 9000)).toMatchObject({ status: 'healthy', failingStreak: 1 });
  });

  it('does not count failures within the start period until it was healthy once', () => {
    expect(afterProbe(fresh, probe(1), plan, 2999)).toMatchObject({ status: 'starting', failingStreak: 0 });
    expect(afterProbe({ ...fresh, status: 'healthy' }, probe(1), plan, 2999)).toMatchObject({ status: 'healthy', failingStreak: 1 });
  });

  it('keeps the last five', () => {
    let state = fresh;
    for (let number = 1; number <= 7; number += 1) state = afterProbe(state, probe(0, String(number)), plan, 0);
    expect(state.log.map(({ output }) => output)).toEqual(['3', '4', '5', '6', '7']);
  });

  it('comes quicker in the start period', () => {
    expect([untilNextProbeMs('starting', plan, 0), untilNextProbeMs('starting', plan, 3000), untilNextProbeMs('healthy', plan, 0)]).toEqual([200, 1000, 1000]);
  });

  it('takes from the image what the user did not say', () => {
    const image = { Test: ['CMD', 'a'], Interval: S, Retries: 5 };
    expect(mergeHealthcheck({ Interval: 2 * S }, image)).toEqual({ Test: ['CMD', 'a'], Interval: 2 * S, Retries: 5 });
    expect(mergeHealthcheck({ Test: ['NONE'] }, image)).toEqual({ Test: ['NONE'] });
    expect(mergeHealthcheck(undefined, image)).toEqual(image);
    expect(mergeHealthcheck(undefined, null)).toBeUndefined();
  });

  it.each([[{ Test: ['RUN', 'x'] }, "Unknown healthcheck type 'RUN'"], [{ Interval: 5 }, 'Interval in Healthcheck cannot be less than 1ms'], [{ Timeout: -1 }, 'Timeout'], [{ Retries: -1 }, 'negative']])('is refused: %j', (config, reason) => {
    expect(() => checkHealthcheck(config)).toThrow(reason);
  });
});
