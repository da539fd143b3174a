// Updates a board in QEMU, also with releases that fail, and shows each check of `osbuild test --suite update` as a test of its own.
import { beforeAll, describe, test } from 'vitest';

import { loadProject } from '../../src/config/index.ts';
import { checkNames } from '../../src/device/index.ts';
import { expectExitCode, expectPassed, home, limitMs, osbuildTest, wanted, whySkipped, type Outcome } from './osbuild-test.ts';

/** Six boots and three updates of each. */
const chosen = process.env['OSBUILD_UPDATE_MACHINES'];
const why = chosen === undefined ? ' (needs OSBUILD_UPDATE_MACHINES=genericx86-64,… : half an hour and more for each)' : whySkipped;
const machines = (chosen ?? 'genericx86-64').split(',').filter(Boolean);

const project = await loadProject(home, home);

describe.skipIf(!wanted || chosen === undefined).each(machines)(`updates of %s in QEMU${why}`, (name) => {
  let outcome: Outcome | undefined;

  beforeAll(async () => {
    outcome = await osbuildTest('--machine', name, '--suite', 'update');
  }, limitMs);

  test.each(checkNames('update', [], project.build.mode ?? 'development'))('%s', (check) => expectPassed(outcome, check));

  test('osbuild test says what became of it by its exit status', () => expectExitCode(outcome));
});
