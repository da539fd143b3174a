import { OsbuildError, type Emit } from '../model/index.ts';
import type { Board } from './board.ts';

export interface CheckResult {
  name: string;
  outcome: 'passed' | 'failed' | 'skipped';
  durationMs: number;
  detail?: string;
}

export interface BootTestReport {
  machine: string;
  mode: 'development' | 'production';
  image: string;
  outcome: 'passed' | 'failed';
  checks: CheckResult[];
  /** For each boot: seconds by the clock and of CPU until SSH let the test in and until the engine answered. */
  boots: BootTimes[];
  consoleLogs: string[];
}

export interface BootTimes {
  boot: string;
  sshSeconds: number;
  sshCpuSeconds: number;
  engineSeconds: number | null;
  engineCpuSeconds: number | null;
}

export interface Recorder {
  /** Runs one check and records its result under its name. Returns whether it passed. */
  check(name: string, run: () => Promise<string | void>, more?: () => string): Promise<boolean>;
  fail(name: string, detail: string): void;
}

/** A failed check is a result; only a cancelled run throws. */
export function recordInto(report: BootTestReport, { emit, signal }: { emit: Emit; signal: AbortSignal }): Recorder {
  const record = (result: CheckResult): void => {
    report.checks.push(result);
    emit({ type: 'check', machine: report.machine, ...result });
  };
  return {
    check: async (name, run, more) => {
      const started = Date.now();
      try {
        const detail = await run();
        record({ name, outcome: 'passed', durationMs: Date.now() - started, ...(detail ? { detail } : {}) });
        return true;
      } catch (error) {
        if (signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled', { cause: error });
        const message = error instanceof Error ? error.message : String(error);
        const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : '';
        record({ name, outcome: 'failed', durationMs: Date.now() - started, detail: `${message}${cause}${more ? `\n${more()}` : ''}` });
        return false;
      }
    },
    fail: (name, detail) => record({ name, outcome: 'failed', durationMs: 0, detail }),
  };
}

/** Times of a boot that SSH was just let into. @param started Date.now() when the board was switched on */
export async function measureBoot(boot: string, started: number, board: Pick<Board, 'emulator' | 'eventually' | 'need'>): Promise<BootTimes> {
  const seconds = (): number => Math.round((Date.now() - started) / 100) / 10;
  const emulator = board.emulator();
  const times: BootTimes = { boot, sshSeconds: seconds(), sshCpuSeconds: await emulator.cpuSeconds(), engineSeconds: null, engineCpuSeconds: null };
  try {
    await board.eventually(120, () => board.need('systemctl is-active --quiet minke.service && minke version'));
    times.engineSeconds = seconds();
    times.engineCpuSeconds = await emulator.cpuSeconds();
  } catch {
    // the engine's own checks report it
  }
  return times;
}

