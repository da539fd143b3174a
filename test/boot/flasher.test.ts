// Tries the flasher of one machine in QEMU: it writes a disk, is cut off, starts again, and the board then starts from that disk.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';

import { flasherCheckNames } from '../../src/device/index.ts';

const home = fileURLToPath(new URL('../..', import.meta.url));
const machines = (process.env['OSBUILD_FLASHER_MACHINES'] ?? 'genericx86-64').split(',').filter(Boolean);
const wanted = process.env['OSBUILD_TEST_IMAGES'] === '1';

interface CheckEvent {
  type: 'check';
  name: string;
  outcome: 'passed' | 'failed' | 'skipped';
  detail?: string;
}

interface Outcome {
  checks: Map<string, CheckEvent>;
  exitCode: number | null;
  errors: string;
}

async function flasherTest(machine: string): Promise<Outcome> {
  const child = spawn(`${home}/osbuild`, ['test', '--flasher', '--machine', machine, '--json'], { cwd: home, stdio: ['ignore', 'pipe', 'pipe'] });
  const checks = new Map<string, CheckEvent>();
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString('utf8')).slice(-4000)));
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{')) continue;
    const event = JSON.parse(line) as { type: string };
    if (event.type === 'check') checks.set((event as CheckEvent).name, event as CheckEvent);
    else if (event.type === 'error' || event.type === 'task-failed') errors += `${line}\n`;
  }
  return { checks, exitCode: await exited, errors };
}

/** Linux gives up in its first second when QEMU, starved by a busy host, does not deliver timer interrupts: nothing of ours ran then. */
const starved = ({ checks }: Outcome): boolean => [...checks.values()].some(({ outcome, detail = '' }) => outcome === 'failed' && detail.includes("IO-APIC + timer doesn't work"));

describe.skipIf(!wanted).each(machines)(`the flasher of %s in QEMU${wanted ? '' : ' (needs OSBUILD_TEST_IMAGES=1, as `npm test` without words sets it)'}`, (name) => {
  let result: Outcome | undefined;

  beforeAll(async () => {
    result = await flasherTest(name);
    if (starved(result)) result = await flasherTest(name);
  }, 90 * 60_000);

  test.each(flasherCheckNames)('%s', (check) => {
    const found = result?.checks.get(check);
    if (!found) throw new Error(`no result; osbuild test ended with exit status ${result?.exitCode}: ${result?.errors ?? ''}`);
    expect(found.outcome, found.detail).toBe('passed');
  });

  test('osbuild test says what became of it by its exit status', () => {
    const failed = [...(result?.checks.values() ?? [])].some(({ outcome }) => outcome === 'failed');
    expect(result?.exitCode).toBe(failed ? 1 : 0);
  });
});
