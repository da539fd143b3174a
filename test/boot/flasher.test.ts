// Tries the flasher of one machine in QEMU: it writes a disk, is cut off, starts again, and the board then starts from that disk.
import { beforeAll, describe, test } from 'vitest';

import { flasherCheckNames } from '../../src/device/index.ts';
import { expectExitCode, expectPassed, limitMs, osbuildTest, wanted, whySkipped, type Outcome } from './osbuild-test.ts';

const machines = (process.env['OSBUILD_FLASHER_MACHINES'] ?? 'genericx86-64').split(',').filter(Boolean);

/** Linux gives up in its first second when QEMU, starved by a busy host, does not deliver timer interrupts: nothing of ours ran then. */
const starved = ({ checks }: Outcome): boolean => [...checks.values()].some(({ outcome, detail = '' }) => outcome === 'failed' && detail.includes("IO-APIC + timer doesn't work"));

describe.skipIf(!wanted).each(machines)(`the flasher of %s in QEMU${whySkipped}`, (name) => {
  let outcome: Outcome | undefined;

  beforeAll(async () => {
    outcome = await osbuildTest('--flasher', '--machine', name);
    if (starved(outcome)) outcome = await osbuildTest('--flasher', '--machine', name);
  }, limitMs);

  test.each(flasherCheckNames)('%s', (check) => expectPassed(outcome, check));

  test('osbuild test says what became of it by its exit status', () => expectExitCode(outcome));
});
