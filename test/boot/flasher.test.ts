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

describe.skipIf(!wanted).each(machines)(`the flasher of %s in QEMU${wanted ? '' : ' (needs OSBUILD_TEST_IMAGES=1, as `npm test` without words sets it)'}`, (name) => {
  const checks = new Map<string, CheckEvent>();
  let errors = '';
  let exitCode: number | null = null;

  beforeAll(async () => {
    const child = spawn(`${home}/osbuild`, ['test', '--flasher', '--machine', name, '--json'], { cwd: home, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString('utf8')).slice(-4000)));
    const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
    for await (const line of createInterface({ input: child.stdout })) {
      if (!line.startsWith('{')) continue;
      const event = JSON.parse(line) as { type: string };
      if (event.type === 'check') checks.set((event as CheckEvent).name, event as CheckEvent);
      else if (event.type === 'error' || event.type === 'task-failed') errors += `${line}\n`;
    }
    exitCode = await exited;
  }, 60 * 60_000);

  test.each(flasherCheckNames)('%s', (check) => {
    const result = checks.get(check);
    if (!result) throw new Error(`no result; osbuild test ended with exit status ${exitCode}: ${errors}`);
    expect(result.outcome, result.detail).toBe('passed');
  });

  test('osbuild test says what became of it by its exit status', () => {
    expect(exitCode).toBe([...checks.values()].some(({ outcome }) => outcome === 'failed') ? 1 : 0);
  });
});
