// Takes a board's power away again and again, and shows each check of `osbuild test --suite faults` as a test of its own.
import { beforeAll, describe, test } from 'vitest';

import { loadProject } from '../../src/config/index.ts';
import { checkNames } from '../../src/device/index.ts';
import { expectExitCode, expectPassed, home, limitMs, osbuildTest, wanted, whySkipped, type Outcome } from './osbuild-test.ts';

/** What is tried is the same on every machine: one is enough, and the one that starts fastest is the default. */
const machines = (process.env['OSBUILD_FAULT_MACHINES'] ?? 'genericx86-64').split(',').filter(Boolean);

const project = await loadProject(home, home);

describe.skipIf(!wanted).each(machines)(`faults on %s in QEMU${whySkipped}`, (name) => {
  let outcome: Outcome | undefined;

  beforeAll(async () => {
    outcome = await osbuildTest('--machine', name, '--suite', 'faults');
  }, limitMs);

  test.each(checkNames('faults', [], project.build.mode ?? 'development'))('%s', (check) => expectPassed(outcome, check));

  test('osbuild test says what became of it by its exit status', () => expectExitCode(outcome));
});
