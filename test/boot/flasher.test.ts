// Tries the flasher of one machine in QEMU: it writes a disk, is cut off, starts again, and the board then starts from that disk.
import { flasherCheckNames } from '../../src/device/index.ts';
import { describeOutcome, machinesOf, osbuildTest, whySkipped, type Outcome } from './osbuild-test.ts';

/** Linux gives up in its first second when QEMU, starved by a busy host, does not deliver timer interrupts: nothing of ours ran then. */
const starved = ({ checks }: Outcome): boolean => [...checks.values()].some(({ outcome, detail = '' }) => outcome === 'failed' && detail.includes("IO-APIC + timer doesn't work"));

for (const name of machinesOf('OSBUILD_FLASHER_MACHINES', 'genericx86-64')) {
  describeOutcome(`the flasher of ${name} in QEMU${whySkipped}`, flasherCheckNames, async () => {
    const outcome = await osbuildTest('--flasher', '--machine', name);
    return starved(outcome) ? osbuildTest('--flasher', '--machine', name) : outcome;
  });
}
