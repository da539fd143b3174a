// Takes a board's power away again and again, and shows each check of `osbuild test --suite faults` as a test of its own.
import { loadProject } from '../../src/config/index.ts';
import { checkNames } from '../../src/device/index.ts';
import { boots, describeOutcome, home, machinesOf, osbuildTest } from './osbuild-test.ts';

const { build } = await loadProject(home, home);
const { skipped, why } = boots('faults');

/** What is tried is the same on every machine: one is enough, and the one that starts fastest is the default. */
for (const name of machinesOf('OSBUILD_FAULT_MACHINES', 'genericx86-64')) {
  describeOutcome(`faults on ${name} in QEMU${why}`, checkNames('faults', [], build.mode ?? 'development'), () => osbuildTest('--machine', name, '--suite', 'faults'), skipped);
}
