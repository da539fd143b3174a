// Boots the very images that are shipped, in QEMU, and shows each check of `osbuild test` as a test of its own.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';

import { loadProject, resolveRecipes } from '../../src/config/index.ts';
import { bootCheckNames } from '../../src/device/index.ts';

const home = fileURLToPath(new URL('../..', import.meta.url));
/** A machine joins the default when all its checks have passed; others are named in the environment. */
const machines = (process.env['OSBUILD_BOOT_MACHINES'] ?? 'qemuarm64,genericx86-64,raspberrypi3-64').split(',').filter(Boolean);
const wanted = process.env['OSBUILD_TEST_IMAGES'] === '1';

/** Three boots of a board that is emulated without hardware support, on a busy machine. */
const limitMs = 90 * 60_000;

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

/** `osbuild test` builds the image when it is not in the cache, and takes results of the same image from there. */
async function osbuildTest(machine: string): Promise<Outcome> {
  const child = spawn(`${home}/osbuild`, ['test', '--machine', machine, '--json'], { cwd: home, stdio: ['ignore', 'pipe', 'pipe'] });
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

const project = await loadProject(home, home);

describe.skipIf(!wanted).each(machines)(`%s in QEMU${wanted ? '' : ' (needs OSBUILD_TEST_IMAGES=1, as `npm test` without words sets it)'}`, async (name) => {
  const source = project.machines.get(name);
  const own = source?.machine.recipes ?? [];
  const recipes = await resolveRecipes(project, [...(project.build.recipes ?? []), ...own]);
  let outcome: Outcome | undefined;

  beforeAll(async () => {
    outcome = await osbuildTest(name);
  }, limitMs);

  test.each(bootCheckNames(recipes, project.build.mode ?? 'development'))('%s', (check) => {
    const result = outcome?.checks.get(check);
    if (!result) throw new Error(`no result; osbuild test ended with exit status ${outcome?.exitCode}: ${outcome?.errors ?? ''}`);
    expect(result.outcome, result.detail).toBe('passed');
  });

  test('osbuild test says what became of it by its exit status', () => {
    const failed = [...(outcome?.checks.values() ?? [])].some((check) => check.outcome === 'failed');
    expect(outcome?.exitCode).toBe(failed ? 1 : 0);
  });
});
